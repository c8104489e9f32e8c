// Cancale : confort facultatif. Tout fonctionne sans ce fichier.
(() => {
  const d = document, on = (t, f) => d.addEventListener(t, f);
  d.documentElement.classList.add("js");
  const copy = async (text, button) => {
    try { await navigator.clipboard.writeText(text); return true; } catch {} // sans https, il n'y en a pas
    const area = d.createElement("textarea");
    area.value = text; area.className = "sr"; button.after(area); area.select();
    const done = d.execCommand("copy");
    area.remove(); button.focus();
    return done;
  };
  on("click", async (e) => {
    const t = e.target.closest("[data-copy],[data-dialog],[data-close],[data-print],[data-show],[data-generate]");
    d.querySelectorAll("details.menu[open]").forEach((m) => { if (!m.contains(e.target)) m.open = false; });
    if (!t) return;
    const s = t.dataset;
    if ("copy" in s) {
      if (!await copy(s.copy, t)) return;
      const l = t.querySelector("[data-label]"), was = l.dataset.label;
      l.textContent = s.done; setTimeout(() => { l.textContent = was; }, 2000);
    }
    if ("dialog" in s) { e.preventDefault(); d.querySelector(t.hash).showModal(); }
    if ("close" in s) { const g = t.closest("dialog"); if (g.open) { e.preventDefault(); g.close(); } }
    if ("print" in s) { e.preventDefault(); print(); }
    if ("show" in s) {
      const i = d.getElementById(t.getAttribute("aria-controls")), hidden = i.type === "password";
      i.type = hidden ? "text" : "password"; t.setAttribute("aria-pressed", hidden);
    }
    if ("generate" in s) {
      const i = d.getElementById(t.getAttribute("aria-controls")), a = "abcdefghijkmnpqrstuvwxyz23456789";
      const r = crypto.getRandomValues(new Uint8Array(20));
      i.type = "text"; i.value = [0, 5, 10, 15].map((k) => [...r.slice(k, k + 5)].map((x) => a[x % 32]).join("")).join("-");
      i.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  on("input", (e) => { // estimation ; le serveur décide
    const m = e.target.dataset.strength && d.getElementById(e.target.dataset.strength);
    if (!m) return;
    const v = e.target.value, n = Math.min(100, v.length * 4 + new Set(v).size * 2), o = m.querySelector("output").dataset;
    m.hidden = !v;
    m.querySelector("meter").value = n;
    m.querySelector("output").textContent = n < 50 ? o.weak : n < 75 ? o.fair : o.strong;
  });
  on("submit", (e) => { // un envoi se voit ; un double envoi est reconnu par le serveur
    if (e.submitter) e.submitter.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => d.querySelectorAll("[aria-busy=true]").forEach((b) => b.removeAttribute("aria-busy")));
  on("keydown", (e) => {
    const m = e.key === "Escape" && e.target.closest("details.menu[open]");
    if (m) { m.open = false; m.querySelector("summary").focus(); }
  });
  const errors = d.querySelector(".errors");
  if (errors) errors.focus();
})();
