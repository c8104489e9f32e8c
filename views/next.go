package views

import (
	"context"
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// next is the one thing to do now: what it is, why, and the button that does
// it.
type next struct {
	Kind, Title, Text string // Kind as an alert's; "" is nothing to do
	URL, Button       string
}

// nextAct chooses the act that an association needs most.
func nextAct(ctx context.Context, page Page, p HomeParams) next {
	a := *page.Account
	ask := func(about string) (url, button string) {
		if !page.Actor.CanIn(hosting.RequestsWrite, a.ID) {
			return "", ""
		}
		return "/requests/new?about=" + about, i18n.T(ctx, "next.ask")
	}
	n := next{Kind: "warn"}
	space := p.Room.Space
	switch failed := p.Has.Databases[hosting.Failed]; {
	case a.Removing:
		n.Title, n.Text = i18n.T(ctx, "account.removing_title"), i18n.T(ctx, "account.removing_text")
	case a.Suspended:
		n.Title, n.Text = i18n.T(ctx, "account.suspended_title"), i18n.T(ctx, "account.suspended_text")
		n.URL, n.Button = ask("membership")
	case p.Failed > 0:
		n.Kind, n.Title, n.Text = "fail", i18n.T(ctx, "home.failed_title", p.Failed), i18n.T(ctx, "home.failed_text")
		n.URL, n.Button = "/sites?state=failed", i18n.T(ctx, "home.failed_link")
	case space.Full():
		n.Kind, n.Title, n.Text = "fail", i18n.T(ctx, "disk.full_title"), i18n.T(ctx, "disk.what_to_do")
		n.URL, n.Button = "/disk", i18n.T(ctx, "disk.link")
	case failed > 0:
		n.Kind, n.Title, n.Text = "fail", i18n.T(ctx, "next.database", failed), i18n.T(ctx, "home.failed_text")
		n.URL, n.Button = "/databases", i18n.T(ctx, "home.failed_link")
	case len(p.Answers) > 0:
		n.Kind, n.Title, n.Text = "info", i18n.T(ctx, "next.answer"), p.Answers[0].Subject
		n.URL, n.Button = RequestsParams{}.path(p.Answers[0].ID), i18n.T(ctx, "next.read")
	case a.Expires != nil && a.Expires.Before(page.Now):
		n.Title, n.Text = i18n.T(ctx, "account.expired_title", i18n.Date(ctx, *a.Expires)), i18n.T(ctx, "account.expired_text")
		n.URL, n.Button = ask("membership")
	case a.Expires != nil && hosting.MembershipLevel(*a.Expires, page.Now) != hosting.MembershipHolds:
		n.Title, n.Text = i18n.T(ctx, "next.ends", i18n.Date(ctx, *a.Expires)), i18n.T(ctx, "next.ends_text")
		n.URL, n.Button = ask("membership")
	case space.Near():
		n.Title, n.Text = i18n.T(ctx, "disk.near_title"), i18n.T(ctx, "disk.near_text", i18n.Bytes(ctx, space.Used), i18n.Bytes(ctx, space.Limit))
		n.URL, n.Button = "/disk", i18n.T(ctx, "disk.link")
	case p.Has.Tasks > 0:
		n.Title, n.Text = i18n.T(ctx, "next.task", p.Has.Tasks), i18n.T(ctx, "next.task_text")
		n.URL, n.Button = "/sites", i18n.T(ctx, "home.all_sites")
	case total(p.Has.Sites) == 0 && p.CanWrite:
		n.Kind, n.Title, n.Text = "info", i18n.T(ctx, "sites.none_title"), i18n.T(ctx, "sites.none_text")
		n.URL, n.Button = "/sites/new", i18n.T(ctx, "site.create_first")
	default:
		n.Kind = ""
	}
	return n
}

func total(counts map[hosting.State]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// stateCount is how many things are in a state that needs a word.
type stateCount struct {
	State hosting.State
	N     int
}

// inStates are the states that there are things in, the good one first.
func inStates(counts map[hosting.State]int) []stateCount {
	var list []stateCount
	for _, s := range []hosting.State{hosting.Live, hosting.Failed, hosting.Suspended, hosting.Pending, hosting.Applying, hosting.Removing} {
		if counts[s] > 0 {
			list = append(list, stateCount{s, counts[s]})
		}
	}
	return list
}

// askURL is the page of a new request about something.
func askURL(about string) string {
	if about == "" {
		return "/requests/new"
	}
	return "/requests/new?about=" + about
}

// about is what a request about a full limit is about.
func about(limit string) string {
	switch limit {
	case "sites":
		return "site"
	case "databases":
		return "database"
	case "ftp_logins":
		return "ftp"
	}
	return "space"
}

// whyOff says why a site that is not live is not.
func whyOff(ctx context.Context, s hosting.Site) string {
	switch {
	case s.Sync.State == hosting.Failed && !s.Sync.Problem.IsZero():
		return say(ctx, s.Sync.Problem)
	case s.AccountSuspended:
		return i18n.T(ctx, "site.with_account")
	case s.Held:
		return i18n.T(ctx, "home.off_team")
	case s.Suspended:
		return i18n.T(ctx, "home.off_wish")
	}
	return ""
}

// workBadge is what a row of the work queue is about.
func workBadge(ctx context.Context, w hosting.Work) (kind, icon, text string) {
	text = i18n.T(ctx, "work."+string(w.Kind))
	switch w.Kind {
	case hosting.WorkSite, hosting.WorkDatabase:
		return "fail", "fail", text
	case hosting.WorkRequest:
		return "run", "mail", text
	case hosting.WorkMembership:
		return "warn", "clock", text
	case hosting.WorkFull:
		return "warn", "chart", text
	case hosting.WorkBan:
		return "", "lock", text
	}
	return "warn", "warn", text
}

// workLink is where a row of the queue is dealt with, and the word for it.
func workLink(ctx context.Context, page Page, w hosting.Work) (url, text string) {
	n := func(path string) string { return path + strconv.FormatUint(w.ID, 10) }
	if w.Kind == hosting.WorkMembership || w.Kind == hosting.WorkFull && !page.Actor.Can(hosting.AdminAccounts) {
		return n("/admin/accounts/"), i18n.T(ctx, "work.look")
	}
	switch w.Kind {
	case hosting.WorkSite:
		return n("/sites/"), i18n.T(ctx, "overview.handle")
	case hosting.WorkDatabase:
		return n("/databases/"), i18n.T(ctx, "overview.handle")
	case hosting.WorkRequest:
		return n("/admin/requests/"), i18n.T(ctx, "work.answer")
	case hosting.WorkFull:
		return n("/admin/accounts/") + "/edit", i18n.T(ctx, "work.change_plan")
	case hosting.WorkTask:
		return n("/sites/") + "/tasks", i18n.T(ctx, "overview.handle")
	case hosting.WorkMail:
		return n("/admin/mails/"), i18n.T(ctx, "work.resend")
	}
	return "/admin/bans", i18n.T(ctx, "work.look")
}

// workMore is the list in which all rows of a kind are.
func workMore(k hosting.WorkKind) string {
	switch k {
	case hosting.WorkSite:
		return "/admin/sites?state=failed"
	case hosting.WorkRequest:
		return "/admin/requests?state=open"
	case hosting.WorkMembership:
		return "/admin/accounts?sort=expires"
	case hosting.WorkMail:
		return "/admin/mails?state=failed"
	}
	return "/admin/accounts"
}

// workTitle is what a row of the queue is about, in words.
func workTitle(ctx context.Context, w hosting.Work) string {
	switch w.Kind {
	case hosting.WorkMembership, hosting.WorkFull:
		return accountLabel(w.Account)
	case hosting.WorkBan:
		return i18n.T(ctx, "work.bans", w.N)
	case hosting.WorkSite, hosting.WorkTask: // a host name in the letters of people
		return hosting.Hostname(w.Name).Unicode()
	}
	return w.Name
}

// workDetail is what else there is to say of a row.
func workDetail(ctx context.Context, w hosting.Work) string {
	label := accountLabel(w.Account)
	switch w.Kind {
	case hosting.WorkMembership, hosting.WorkBan:
		return ""
	case hosting.WorkFull:
		return i18n.T(ctx, "work.full_share", w.N)
	}
	if w.Problem.IsZero() {
		return label
	}
	if label == "" {
		return say(ctx, w.Problem)
	}
	return label + i18n.T(ctx, "colon") + say(ctx, w.Problem)
}
