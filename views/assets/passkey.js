// Cancale : clés d’accès (WebAuthn). Sans ce fichier restent le mot de passe et les codes.
(() => {
  if (!window.PublicKeyCredential) return;
  const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (b) => b ? btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "") : undefined;
  const keys = (list) => (list || []).map((k) => ({ ...k, id: bytes(k.id) }));
  const ask = async (form) => {
    const s = form.dataset, making = s.passkey === "create";
    let o = s.options;
    if (s.ask) {
      const answer = await fetch(s.ask, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (!answer.ok) return ""; // le serveur dira pourquoi
      o = await answer.text();
    }
    o = JSON.parse(o);
    o.challenge = bytes(o.challenge);
    if (making) {
      o.user.id = bytes(o.user.id);
      o.excludeCredentials = keys(o.excludeCredentials);
    } else {
      o.allowCredentials = keys(o.allowCredentials);
    }
    const key = await navigator.credentials[s.passkey]({ publicKey: o }), r = key.response;
    return JSON.stringify({
      id: key.id, rawId: text(key.rawId), type: key.type,
      response: making ? {
        clientDataJSON: text(r.clientDataJSON), attestationObject: text(r.attestationObject), transports: r.getTransports ? r.getTransports() : [],
      } : {
        clientDataJSON: text(r.clientDataJSON), authenticatorData: text(r.authenticatorData), signature: text(r.signature), userHandle: text(r.userHandle),
      },
    });
  };
  document.querySelectorAll("[data-no-passkey]").forEach((n) => { n.hidden = true; });
  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    const trouble = form.querySelector("[data-trouble]");
    form.hidden = false;
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      trouble.hidden = true;
      try {
        form.elements.credential.value = await ask(form);
        form.submit();
      } catch (x) {
        trouble.textContent = x.name === "InvalidStateError" ? trouble.dataset.known : trouble.dataset.trouble;
        trouble.hidden = false;
        form.querySelectorAll("[aria-busy]").forEach((b) => b.removeAttribute("aria-busy"));
      }
    });
  });
})();
