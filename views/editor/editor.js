// L'éditeur de fichiers : CodeMirror à la place du champ de texte, qui reste ce
// que le formulaire envoie. Sans ce fichier, le champ suffit.
import { EditorView, keymap, lineNumbers, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, drawSelection, rectangularSelection, dropCursor } from "@codemirror/view";
import { EditorState } from "@codemirror/state";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting, HighlightStyle } from "@codemirror/language";
import { closeBrackets, closeBracketsKeymap, autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { search, searchKeymap, highlightSelectionMatches } from "@codemirror/search";
import { tags as t } from "@lezer/highlight";
import { php } from "@codemirror/lang-php";
import { html } from "@codemirror/lang-html";
import { css } from "@codemirror/lang-css";
import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { xml } from "@codemirror/lang-xml";
import { yaml } from "@codemirror/lang-yaml";

const languages = { php, html, css, js: javascript, json, xml, yaml };

const french = {
  "Find": "Chercher", "Replace": "Remplacer", "next": "suivant", "previous": "précédent", "all": "tout", "match case": "respecter la casse",
  "by word": "mot entier", "regexp": "expression", "replace": "remplacer", "replace all": "tout remplacer", "close": "fermer",
  "current match": "résultat courant", "on line": "ligne", "replaced match on line $": "remplacé ligne $", "replaced $ matches": "$ remplacements",
  "Go to line": "Aller à la ligne", "go": "aller", "Fold line": "Replier la ligne", "Unfold line": "Déplier la ligne",
  "folded code": "code replié", "unfold": "déplier", "Control character": "Caractère de contrôle", "Selection deleted": "Sélection supprimée",
  "Folded lines": "Lignes repliées", "Unfolded lines": "Lignes dépliées", "to": "à", "Completions": "Propositions",
};

// Les couleurs sont celles de la page : les variables passent dans l'ombre.
const look = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: ".875rem", maxHeight: "75vh" },
  "&.cm-focused": { outline: "3px solid var(--focus)", outlineOffset: "-3px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.65", minHeight: "18rem" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--ink-2)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--sea-tint)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--sea-tint)", outline: "1px solid var(--sea)" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-textfield": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--edge)", fontSize: ".875rem" },
  ".cm-button": { backgroundColor: "var(--surface)", backgroundImage: "none", color: "var(--ink)", border: "1px solid var(--edge)", fontSize: ".875rem" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--edge)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--sea-fill)", color: "var(--on-sea)" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-tint)", outline: "1px solid var(--warn)" },
});

const colours = HighlightStyle.define([
  { tag: [t.comment, t.meta], color: "var(--ink-2)", fontStyle: "italic" },
  { tag: [t.keyword, t.operatorKeyword, t.controlKeyword, t.modifier], color: "var(--sea)", fontWeight: "600" },
  { tag: [t.string, t.special(t.string), t.regexp, t.attributeValue], color: "var(--ok)" },
  { tag: [t.number, t.bool, t.null, t.atom, t.unit, t.color], color: "var(--warn)" },
  { tag: [t.tagName, t.heading, t.typeName, t.className], color: "var(--sea)" },
  { tag: [t.attributeName, t.propertyName, t.definition(t.variableName), t.function(t.variableName)], color: "var(--info)" },
  { tag: t.heading, fontWeight: "700" },
  { tag: t.invalid, color: "var(--fail)" },
  { tag: t.link, textDecoration: "underline" },
]);

const form = document.querySelector("form[data-editor]");
if (form) begin(form);

function begin(form) {
  const area = form.elements.text, fr = document.documentElement.lang === "fr";
  const badge = form.querySelector("[data-state]"), place = "edit:" + form.elements.path.value;
  let dirty = area.getAttribute("aria-invalid") === "true", sending = false;
  const changed = (is) => { dirty = is; badge.hidden = !is; };

  const host = document.createElement("div");
  host.className = "editor__code";
  const root = host.attachShadow({ mode: "open" }); // dans l'ombre, les styles passent par adoptedStyleSheets : la politique reste stricte
  area.after(host);
  const language = languages[form.dataset.editor];
  const view = new EditorView({
    parent: root, root,
    state: EditorState.create({
      doc: area.value,
      extensions: [
        lineNumbers(), foldGutter(), highlightActiveLineGutter(), highlightSpecialChars(), history(), drawSelection(), dropCursor(),
        indentOnInput(), bracketMatching(), closeBrackets(), autocompletion(), rectangularSelection(), highlightActiveLine(),
        highlightSelectionMatches(), search({ top: true }), indentUnit.of(/^\t/m.test(area.value) ? "\t" : "    "), EditorState.tabSize.of(4),
        syntaxHighlighting(colours), look,
        language ? language() : EditorView.lineWrapping,
        fr ? EditorState.phrases.of(french) : [],
        area.readOnly ? EditorState.readOnly.of(true) : [],
        EditorView.contentAttributes.of({ "aria-label": form.querySelector("label[for=text]").textContent.trim(), spellcheck: "false", autocapitalize: "off", tabindex: "0" }),
        keymap.of([
          { key: "Mod-s", preventDefault: true, run: () => { if (!area.readOnly) form.requestSubmit(); return true; } },
          ...closeBracketsKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...defaultKeymap, indentWithTab,
        ]),
        EditorView.updateListener.of((u) => { if (u.docChanged) changed(true); }),
      ],
    }),
  });
  area.hidden = true;
  form.querySelector(".editor__body").classList.add("is-live");
  form.querySelector("label[for=text]").addEventListener("click", (e) => { e.preventDefault(); view.focus(); });
  changed(dirty);

  try { // là où l'on était avant d'enregistrer
    const was = JSON.parse(sessionStorage.getItem(place));
    sessionStorage.removeItem(place);
    if (was) {
      view.dispatch({ selection: { anchor: Math.min(was.at, view.state.doc.length) } });
      view.focus();
      requestAnimationFrame(() => { view.scrollDOM.scrollTop = was.top; });
    }
  } catch {}

  form.addEventListener("submit", () => {
    area.value = view.state.doc.toString();
    sending = true;
    try { sessionStorage.setItem(place, JSON.stringify({ at: view.state.selection.main.head, top: view.scrollDOM.scrollTop })); } catch {}
  });
  addEventListener("pageshow", () => { sending = false; });
  addEventListener("beforeunload", (e) => { if (dirty && !sending) e.preventDefault(); });

  if (area.readOnly) return;
  const others = document.getElementById("others");
  const body = (state) => new URLSearchParams({ csrf: form.elements.csrf.value, path: form.elements.path.value, state });
  const tell = async () => {
    try {
      const answer = await fetch(form.dataset.others, { method: "POST", body: body("live"), headers: { "HX-Request": "true" } });
      if (!answer.ok) return;
      const text = await answer.text();
      if (text !== tell.last) others.innerHTML = text;
      tell.last = text;
    } catch {} // le réseau reviendra
  };
  tell();
  setInterval(tell, 60_000);
  addEventListener("pagehide", () => { if (!sending) navigator.sendBeacon(form.dataset.others, body("closed")); });
}
