// Cancale, fichiers : envoi par glisser-déposer, avec avancement et reprise. Sans ce fichier, le formulaire suffit.
(() => {
  const d = document, $ = (s, e = d) => e.querySelector(s);
  const all = $("[data-all]");
  if (all) { // tout choisir
    const boxes = [...d.getElementsByName(all.dataset.all)].filter((b) => b !== all);
    all.addEventListener("change", () => boxes.forEach((b) => { b.checked = all.checked; }));
    boxes.forEach((b) => b.addEventListener("change", () => {
      const n = boxes.filter((x) => x.checked).length;
      all.checked = n === boxes.length; all.indeterminate = n > 0 && n < boxes.length;
    }));
  }

  const form = $("form[data-upload]");
  if (!form) return;
  const s = form.dataset, input = form.elements.f, folder = $("[data-folder]"), drop = $(".drop", form);
  const box = $("[data-queue-box]"), list = $("[data-queue]"), state = $("[data-queue-state]"), end = $("[data-queue-end]");
  const icons = $("[data-icons]").content;
  const PIECE = 8 << 20, LANES = 3, SHOWN = 60;
  const icon = (name) => $(`[data-is=${name}] svg`, icons).cloneNode(true);
  const make = (tag, cls, text) => { const e = d.createElement(tag); if (cls) e.className = cls; if (text) e.textContent = text; return e; };
  const lang = d.documentElement.lang, units = lang === "fr" ? ["o", "Ko", "Mo", "Go", "To"] : ["B", "KB", "MB", "GB", "TB"];
  const size = (n) => { let u = 0; while (n >= 1024 && u < 4) { n /= 1024; u++; } return n.toLocaleString(lang, { maximumFractionDigits: u ? 1 : 0 }) + "\u00a0" + units[u]; };

  // La clé retrouve un envoi interrompu : même navigateur, même fichier, même endroit.
  let me = "";
  try { me = localStorage.uploads ||= String(crypto.getRandomValues(new Uint32Array(4))); } catch {}
  const key = (text) => {
    let out = "";
    for (let seed = 1; seed < 5; seed++) {
      let h = 0xdeadbeef ^ seed;
      for (const c of text) h = Math.imul(h ^ c.codePointAt(0), 2654435761) ^ (h >>> 15);
      out += (h >>> 0).toString(16).padStart(8, "0");
    }
    return out;
  };

  let queue = [], active = 0, done = 0, failed = 0, left = false;
  addEventListener("pagehide", () => { left = true; });
  addEventListener("beforeunload", (e) => { if (active || queue.length) e.preventDefault(); });

  class Item {
    constructor(file, name) {
      this.file = file; this.name = name; this.at = 0; this.replace = form.elements.replace.checked;
      this.key = key([me, s.path, name, file.size, file.lastModified].join("\n"));
    }
    show() {
      if (this.row) return;
      this.row = make("li");
      const text = make("div");
      this.sub = make("span", "sub", size(this.file.size));
      text.append(make("b", "", this.name), this.sub);
      this.mark = make("span");
      this.bar = make("progress"); this.bar.max = 100; this.bar.value = 0; this.bar.setAttribute("aria-label", this.name);
      this.row.append(icon("file"), text, this.mark, this.bar);
      list.append(this.row);
    }
    badge(name, kind, text) {
      const b = make("span", "badge" + (kind ? " badge--" + kind : ""));
      b.append(icon(name), text);
      this.mark.replaceChildren(b);
    }
    wait() { this.badge("clock", "", s.waiting); }
    moved(n) {
      this.bar.value = this.file.size ? 100 * n / this.file.size : 100;
      this.sub.textContent = s.progress.replace("{0}", size(n)).replace("{1}", size(this.file.size));
    }
    succeed() {
      done++; this.bar.remove(); this.sub.textContent = size(this.file.size); this.badge("ok", "ok", s.sent);
      if (list.children.length > SHOWN) this.row.remove();
    }
    fail(why, again) {
      failed++; this.bar.remove(); this.badge("fail", "fail", s.failed);
      const p = make("p", "wide small", why);
      if (again) {
        const b = make("button", "btn btn--small", s.replace); b.type = "button";
        b.onclick = () => { failed--; this.replace = true; this.row.remove(); this.row = null; add([this]); };
        p.append(" ", b);
      }
      this.row.append(p);
    }
    query(more) { return "?" + new URLSearchParams({ path: s.path, name: this.name, key: this.key, ...more }); }
    async begun() {
      const r = await fetch(s.begun + this.query({}), { headers: { Accept: "application/json" } });
      if (!r.ok && r.status !== 422) throw new Error("network");
      return r.json();
    }
    piece(onstop) {
      return new Promise((ok, no) => {
        const x = new XMLHttpRequest();
        x.open("POST", s.piece + this.query({ offset: this.at, total: this.file.size, ...(this.replace ? { replace: 1 } : {}) }));
        x.setRequestHeader("X-Ticket", form.elements.csrf.value);
        x.setRequestHeader("Content-Type", "application/octet-stream");
        x.responseType = "json";
        x.upload.onprogress = (e) => this.moved(this.at + e.loaded);
        x.onload = () => (x.status === 200 || x.status === 422) && x.response ? ok(x.response) : no(new Error(String(x.status)));
        x.onerror = x.ontimeout = () => no(new Error("network"));
        x.onabort = () => no(new Error("abort"));
        onstop(() => x.abort());
        x.send(this.file.slice(this.at, this.at + PIECE));
      });
    }
    async run() {
      let stop = () => {}, stopped = false, pause = 1000, tries = 0;
      const cancel = make("button", "btn btn--small btn--quiet", s.cancel);
      cancel.type = "button"; cancel.append(make("span", "sr", " " + this.name));
      cancel.onclick = () => { stopped = true; stop(); };
      this.mark.replaceChildren(cancel);
      let ask = this.file.size > PIECE; // un grand fichier a peut-être déjà commencé
      for (;;) {
        try {
          if (ask) {
            const was = await this.begun();
            if (was.problem) return this.fail(was.problem);
            if (was.exists && !this.replace) return this.fail(s.exists, true);
            this.at = Math.min(was.size, this.file.size); ask = false;
          }
          const answer = await this.piece((f) => { stop = f; });
          if (answer.resume && tries++ < 20) { ask = true; await new Promise((r) => setTimeout(r, 500)); continue; }
          if (answer.problem) return this.fail(answer.problem, answer.exists && !this.replace);
          this.at = answer.size; pause = 1000; tries = 0;
          if (answer.done) return this.succeed();
        } catch (e) {
          if (stopped || left) { this.row.remove(); return; }
          if (/^\d+$/.test(e.message) && e.message < 500) return this.fail(s.lost);
          this.sub.textContent = s.lost; // le réseau reviendra : on reprend où l'on en était
          await new Promise((r) => setTimeout(r, pause));
          if (stopped) { this.row.remove(); return; }
          pause = Math.min(2 * pause, 30000); ask = true;
        }
      }
    }
  }

  const add = (items) => {
    box.hidden = false;
    for (const i of items) {
      queue.push(i);
      if (list.children.length < SHOWN) { i.show(); i.wait(); }
    }
    while (active < LANES && queue.length) lane();
  };
  const lane = async () => {
    active++;
    while (queue.length) {
      const i = queue.shift();
      i.show();
      try { await i.run(); } catch (e) { i.fail(s.lost); }
    }
    if (--active) return;
    state.textContent = s.ended.replace("{0}", done).replace("{1}", failed);
    end.hidden = false;
    if (!failed && done) location.reload(); // le dossier tel qu'il est maintenant
  };

  const walk = async (entry, base, out) => {
    if (entry.isFile) {
      const file = await new Promise((ok, no) => entry.file(ok, no));
      out.push(new Item(file, base + file.name));
    } else if (entry.isDirectory) {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((ok, no) => reader.readEntries(ok, no));
        if (!some.length) break;
        for (const e of some) await walk(e, base + entry.name + "/", out);
      }
    }
  };
  const chosen = (files) => [...files].map((f) => new Item(f, f.webkitRelativePath || f.name));

  form.addEventListener("submit", (e) => {
    if (!input.files.length) return;
    e.preventDefault(); e.stopImmediatePropagation();
    add(chosen(input.files)); input.value = "";
  }, true);
  folder.addEventListener("change", () => { add(chosen(folder.files)); folder.value = ""; });
  let depth = 0;
  const over = (is) => drop.classList.toggle("is-over", is);
  addEventListener("dragenter", (e) => { if (e.dataTransfer?.types.includes("Files")) { depth++; over(true); } });
  addEventListener("dragleave", () => { if (depth && !--depth) over(false); });
  addEventListener("dragover", (e) => { if (e.dataTransfer?.types.includes("Files")) e.preventDefault(); });
  addEventListener("drop", async (e) => {
    if (!e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault(); depth = 0; over(false);
    const out = [], entries = [...e.dataTransfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
    if (entries.length) for (const x of entries) await walk(x, "", out);
    else out.push(...chosen(e.dataTransfer.files));
    add(out);
  });
})();
