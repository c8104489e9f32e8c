package apache

import (
	"strings"
	"sync"
	"testing"
	"text/template"

	"cancale/internal/hosting"
	"cancale/internal/reconcile"
)

// TestABugInTheTemplateStopsOneSite changes the template of virtual hosts so
// that it is wrong for one site. The others of the same batch go live, the one
// keeps what Apache last took, and all is well when the template is right again.
func TestABugInTheTemplateStopsOneSite(t *testing.T) {
	const guilty, sites = 3, 8
	n := startNode(t)
	right := siteTemplate
	t.Cleanup(func() { siteTemplate = right })
	all := make([]hosting.Site, sites)
	for i := range all {
		all[i] = n.site(i + 1)
		n.ensure(all[i])
	}
	for name, bug := range map[string]string{
		"a word that Apache does not know": `NoSuchDirective on`,
		"a section that is not closed":     `<Location "/">`,
		"a section that closes the site's": `</VirtualHost>`,
		"a template that cannot be filled": `{{index .Aliases 99}}`,
		"a function that panics":           `{{panics}}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(right.Root.String(), "ServerName ", "{{if eq .ID 3}}"+bug+"\n{{end}}ServerName ", 1)
			siteTemplate = template.Must(template.Must(right.Clone()).Funcs(template.FuncMap{"panics": func() string { panic("a bug") }}).Parse(text))
			defer func() { siteTemplate = right }()
			failures := make([]error, sites)
			var wait sync.WaitGroup
			for i := range all {
				wait.Go(func() {
					site := all[i]
					site.Aliases = []hosting.Hostname{site.Host + ".new.example"}
					failures[i] = reconcile.Protect(func() error { return n.driver.Ensure(t.Context(), site) })
				})
			}
			wait.Wait()
			for i, err := range failures {
				body := "site " + all[i].Host.String()[1:2]
				if failed := err != nil; failed != (i+1 == guilty) {
					t.Errorf("%s: %v", all[i].Host, err)
				}
				n.expect(string(all[i].Host), "/", 200, body)
				if i+1 != guilty {
					n.expect(string(all[i].Host)+".new.example", "/", 200, body)
				}
			}
			n.expect(string(all[guilty-1].Host)+".new.example", "/", 404, unknownPage)

			n.apache.Restart(t) // nothing of the bug is left for a start of the machine
			n.expect(string(all[guilty-1].Host), "/", 200, "site 3")
			siteTemplate = right
			for _, site := range all {
				n.ensure(site)
			}
			n.expect(string(all[0].Host)+".new.example", "/", 404, unknownPage)
		})
	}
}
