package views

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// say is a message in the language of ctx.
func say(ctx context.Context, m hosting.Message) string {
	return i18n.Message(ctx, m.Key, m.Args)
}

// of is what was refused in a field, "" when nothing was.
func (e Errors) of(ctx context.Context, field string) string {
	if m, refused := e[field]; refused {
		return say(ctx, m)
	}
	return ""
}

// problems lists what was refused, in the order of the fields on the page. A
// refusal of no field, or of one that the page does not show, comes first and
// leads nowhere.
func (e Errors) problems(ctx context.Context, fields ...string) []ui.Problem {
	var list []ui.Problem
	for field, m := range e {
		if !slices.Contains(fields, field) {
			list = append(list, ui.Problem{Text: say(ctx, m)})
		}
	}
	slices.SortFunc(list, func(a, b ui.Problem) int { return strings.Compare(a.Text, b.Text) })
	for _, field := range fields {
		if m, refused := e[field]; refused {
			list = append(list, ui.Problem{ID: field, Text: say(ctx, m)})
		}
	}
	return list
}

// pointsTo says what to do so that names lead to address.
func pointsTo(ctx context.Context, address netip.Addr) string {
	if address.IsLoopback() {
		return i18n.T(ctx, "site.points_to_local", address.String())
	}
	return i18n.T(ctx, "site.points_to", address.String())
}

// actionText is an act of the audit log in words; one that has no words yet is
// shown by its name.
func actionText(ctx context.Context, action string) string {
	key := "audit." + action
	if text := i18n.T(ctx, key); text != key {
		return text
	}
	return action
}

// actionIcon is the drawing beside an act of the audit log.
func actionIcon(action string) string {
	noun, verb, _ := strings.Cut(action, ".")
	switch verb {
	case "remove", "delete", "removed":
		return "trash"
	case "suspend", "disable":
		return "pause"
	case "resume", "enable", "retry":
		return "play"
	case "refused", "signin_refused", "sign_in_refused":
		return "fail"
	}
	switch noun {
	case "site":
		return "globe"
	case "database":
		return "db"
	case "ftp":
		return "transfer"
	case "plan":
		return "layers"
	case "account":
		return "building"
	case "person", "membership", "invitation":
		return "users"
	}
	return "key"
}

// firstName is how a person is greeted.
func firstName(p hosting.Person) string {
	name, _, _ := strings.Cut(p.Name, " ")
	return name
}

// personName is the name of a person, or the address when there is none yet.
func personName(p hosting.Person) string {
	if p.Name == "" {
		return string(p.Email)
	}
	return p.Name
}

// accountLabel is the name of an association, or its short name when it has no
// other.
func accountLabel(a hosting.Account) string {
	if a.Label == "" {
		return string(a.Name)
	}
	return a.Label
}

func planLabel(p hosting.Plan) string {
	if p.Label == "" {
		return string(p.Name)
	}
	return p.Label
}

// limit is a limit of a plan in words.
func limit(ctx context.Context, n int) string {
	if n == hosting.Unlimited {
		return i18n.T(ctx, "plan.unlimited")
	}
	return i18n.Number(ctx, int64(n))
}

func diskLimit(ctx context.Context, megabytes int) string {
	if megabytes == hosting.Unlimited {
		return i18n.T(ctx, "plan.unlimited")
	}
	return i18n.Bytes(ctx, int64(megabytes)<<20)
}

// planSummary is a plan in one line.
func planSummary(ctx context.Context, p hosting.Plan) string {
	disk := i18n.T(ctx, "plan.disk_unlimited")
	if p.DiskMB != hosting.Unlimited {
		disk = diskLimit(ctx, p.DiskMB)
	}
	parts := []string{disk}
	for _, l := range []struct {
		key string
		n   int
	}{{"plan.sites", p.Sites}, {"plan.databases", p.Databases}, {"plan.ftp_logins", p.FTPLogins}} {
		if l.n == hosting.Unlimited {
			parts = append(parts, i18n.T(ctx, l.key+"_unlimited"))
		} else {
			parts = append(parts, i18n.T(ctx, l.key, l.n))
		}
	}
	return strings.Join(parts, ", ")
}

// left is how many more of a kind fit; kind is "sites", "databases" or
// "ftp_logins".
func (r Room) left(kind string) (n int, unlimited bool) {
	limit, used := r.Plan.Sites, r.Usage.Sites
	switch kind {
	case "databases":
		limit, used = r.Plan.Databases, r.Usage.Databases
	case "ftp_logins":
		limit, used = r.Plan.FTPLogins, r.Usage.FTPLogins
	}
	if limit == hosting.Unlimited {
		return 0, true
	}
	return max(0, limit-used), false
}

// full reports whether nothing more of a kind fits.
func (r Room) full(kind string) bool {
	n, unlimited := r.left(kind)
	return n == 0 && !unlimited
}

// share is "4 sur 8", or only the number when there is no limit.
func share(ctx context.Context, used, limit int) string {
	if limit == hosting.Unlimited {
		return i18n.T(ctx, "usage.count", used)
	}
	return i18n.T(ctx, "usage.share", used, limit)
}

// folder is a document root or a login's folder as people write it.
func folder(d hosting.DocumentRoot) string { return "/" + string(d) }

// reach is the folder that an FTP login is shut in, in words when it is in none.
func reach(ctx context.Context, d hosting.DocumentRoot) string {
	if d == "" {
		return i18n.T(ctx, "ftp.every_folder")
	}
	return folder(d)
}

// otherLang is the language that the footer offers.
func otherLang(ctx context.Context) string {
	if i18n.Lang(ctx) == "fr" {
		return "en"
	}
	return "fr"
}

// langName is a language in its own words.
func langName(lang string) string {
	if lang == "en" {
		return "English"
	}
	return "Français"
}

// langURL is path in another language.
func langURL(path, lang string) string { return path + "?" + url.Values{"lang": {lang}}.Encode() }

// title is what the browser shows: a refused form says so first.
func title(ctx context.Context, text string, errs ...Errors) string {
	for _, e := range errs {
		if len(e) > 0 {
			return i18n.T(ctx, "form.error_title", text)
		}
	}
	return text
}

// AgentName is a browser in words, for mails.
func AgentName(ctx context.Context, header string) string { return agent(ctx, header) }

// agent is a browser in words, from its User-Agent header.
func agent(ctx context.Context, header string) string {
	pick := func(list ...[2]string) string {
		for _, pair := range list {
			if strings.Contains(header, pair[0]) {
				return pair[1]
			}
		}
		return ""
	}
	browser := pick([2]string{"Firefox/", "Firefox"}, [2]string{"Edg/", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"Chrome/", "Chrome"}, [2]string{"Safari/", "Safari"}, [2]string{"curl/", "curl"})
	system := pick([2]string{"Android", "Android"}, [2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"Windows", "Windows"}, [2]string{"Mac OS", "macOS"}, [2]string{"Linux", "Linux"})
	switch {
	case browser == "":
		return i18n.T(ctx, "session.unknown_agent")
	case system == "":
		return browser
	}
	return i18n.T(ctx, "session.agent", browser, system)
}

// agentIcon is the drawing of a device.
func agentIcon(header string) string {
	if strings.Contains(header, "Mobile") || strings.Contains(header, "Android") || strings.Contains(header, "iPhone") {
		return "phone"
	}
	return "server"
}
