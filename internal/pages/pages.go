// Package pages makes the pages that visitors of hosted sites see when there is
// nothing else to show: a site without content, a suspended one, an unknown
// address, a page that does not exist, an error. Each is one file that asks for
// nothing from elsewhere, French first, with a line in English.
//
// They are texts for anybody who comes by, so nothing in them says why: no
// reason of a suspension, no detail of an error. The package writes no file.
package pages

import (
	"bytes"
	_ "embed"
	"html/template"
)

//go:embed page.html
var source string

var page = template.Must(template.New("page").Parse(source))

// text is what differs from page to page.
type text struct {
	Title, Heading, Text  string
	Question, Answer, End string
	English               string
	Home                  bool // offer the site's own first page
	Host                  string
	Panel                 string
}

func (t text) render(host, panel string) []byte {
	t.Host, t.Panel = host, panel
	var b bytes.Buffer
	if err := page.Execute(&b, t); err != nil {
		panic(err) // the template and its data are both ours
	}
	return b.Bytes()
}

// Default is the first page of a new site, which its member's own files
// replace. panel may be empty.
func Default(host, panel string) []byte {
	return text{
		Title:    "Bientôt en ligne",
		Heading:  "Ce site est presque prêt",
		Text:     "Son adresse fonctionne. Il reste à y déposer des pages.",
		Question: "C’est le vôtre ?",
		Answer:   "Connectez-vous",
		End:      " et envoyez vos fichiers : cette page disparaîtra toute seule.",
		English:  "This site is almost ready: its address works, its pages are still to come.",
	}.render(host, panel)
}

// Suspended is shown, with status 503, instead of a site that is switched off.
func Suspended(host, panel string) []byte {
	return text{
		Title:    "Site interrompu",
		Heading:  "Ce site est momentanément interrompu",
		Text:     "Ses pages sont intactes : elles reviendront avec lui. Revenez un peu plus tard.",
		Question: "Vous en faites partie ?",
		Answer:   "Connectez-vous",
		End:      " pour connaître la raison et la marche à suivre.",
		English:  "This site is suspended for now. Please come back later.",
	}.render(host, panel)
}

// Unknown is shown, with status 404, for a host name that no site bears.
func Unknown(host, panel string) []byte {
	return text{
		Title:    "Adresse inconnue",
		Heading:  "Aucun site à cette adresse",
		Text:     "Ce nom de domaine arrive bien jusqu’à notre serveur, mais aucune association ne l’utilise encore.",
		Question: "Vous gérez ce nom ?",
		Answer:   "Ajoutez-le à l’un de vos sites",
		End:      ".",
		English:  "No site uses this address yet.",
	}.render(host, panel)
}

// NotFound is shown for a page that a site does not have.
func NotFound(host string) []byte {
	return text{
		Title:   "Page introuvable",
		Heading: "Cette page n’existe pas, ou plus",
		Text:    "Le lien que vous avez suivi est peut-être ancien.",
		Home:    true,
		English: "This page does not exist, or no longer does.",
	}.render(host, "")
}

// Forbidden is shown for what a site does not give out.
func Forbidden(host string) []byte {
	return text{
		Title:   "Accès refusé",
		Heading: "Cette page n’est pas publique",
		Text:    "Le site ne permet pas de la consulter.",
		Home:    true,
		English: "This page is not public.",
	}.render(host, "")
}

// Unauthorized is shown when somebody gives no name and password, or wrong ones.
func Unauthorized(host string) []byte {
	return text{
		Title:   "Accès réservé",
		Heading: "Cette partie du site est réservée",
		Text:    "Elle demande un identifiant et un mot de passe. L’association qui publie ce site peut vous les donner.",
		Home:    true,
		English: "This part of the site asks for a name and a password.",
	}.render(host, "")
}

// Maintenance is shown, with status 503, while a site's people work on it.
func Maintenance(host string) []byte {
	return text{
		Title:   "Site en travaux",
		Heading: "Ce site revient bientôt",
		Text:    "Ses responsables y travaillent en ce moment. Rien n’est perdu : revenez un peu plus tard.",
		English: "This site is being worked on and will be back soon.",
	}.render(host, "")
}

// Failed is shown when a site's own program went wrong or does not answer.
func Failed(host string) []byte {
	return text{
		Title:   "Erreur du site",
		Heading: "Ce site a rencontré un problème",
		Text:    "Rien n’est perdu. Réessayez dans quelques instants ; si cela continue, prévenez l’association qui publie ce site.",
		English: "This site ran into a problem. Please try again in a moment.",
	}.render(host, "")
}
