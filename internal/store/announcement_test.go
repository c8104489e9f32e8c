package store_test

import (
	"slices"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestAnnouncements(t *testing.T) {
	st := testenv.Store(t)
	a, b, c := anAccount(t, st, "a"), anAccount(t, st, "b"), anAccount(t, st, "c")
	aPerson(t, st, "boss@example.org", hosting.Administrator)
	aPerson(t, st, "tech@example.org", hosting.Technician)
	aPerson(t, st, "lea@example.org", hosting.NoRole, store.MembershipSpec{Account: a.ID, Role: hosting.Owner}, store.MembershipSpec{Account: b.ID, Role: hosting.Owner})
	aPerson(t, st, "web@example.org", hosting.NoRole, store.MembershipSpec{Account: b.ID, Role: hosting.Webmaster})
	english := must(st.CreatePersonWithPassword(t.Context(), root, hosting.PersonSpec{Email: "joe@example.org", Language: "en"}, []store.MembershipSpec{{Account: b.ID, Role: hosting.Owner}}, password))(t)
	boss, tech, lea, web := actorOf(t, st, "boss@example.org"), actorOf(t, st, "tech@example.org"), actorOf(t, st, "lea@example.org"), actorOf(t, st, "web@example.org")
	spec := hosting.AnnouncementSpec{TitleFR: "Coupure", TextFR: "Mardi à 8 h", TitleEN: "Outage", TextEN: "On Tuesday", Until: new(time.Now().Add(time.Hour))}
	banners := func(who hosting.Actor, account hosting.Account) (titles []string) {
		t.Helper()
		for _, n := range must(st.Banners(t.Context(), who.Scope(hosting.AccountRead), account.ID, who.Person))(t) {
			titles = append(titles, n.TitleFR)
		}
		return titles
	}
	t.Run("only an administrator announces", func(t *testing.T) {
		for _, who := range []hosting.Actor{tech, lea, boss.OnBehalf(a)} {
			_, _, err := st.CreateAnnouncement(t.Context(), who, spec, 0)
			refused(t, err, hosting.Forbidden, "", "error.forbidden")
			_, total, err := st.Announcements(t.Context(), who.Scope(hosting.AdminAnnounce), 1, 10)
			if err != nil || total != 0 {
				t.Error(total, err)
			}
		}
	})
	t.Run("told nowhere, it is refused", func(t *testing.T) {
		_, _, err := st.CreateAnnouncement(t.Context(), boss, hosting.AnnouncementSpec{TitleFR: "x", TextFR: "y"}, 0)
		refused(t, err, hosting.Invalid, "until", "announcement.nowhere")
	})
	all, sending, err := st.CreateAnnouncement(t.Context(), boss, spec, 0)
	ok(t, err)
	t.Run("to all: each person puts it away for herself", func(t *testing.T) {
		if sending != 0 {
			t.Error("mails were sent")
		}
		ok(t, st.DismissBanner(t.Context(), lea, all.ID))
		ok(t, st.DismissBanner(t.Context(), lea, all.ID))
		if got := banners(lea, a); len(got) != 0 {
			t.Error(got)
		}
		if got := banners(web, b); !slices.Equal(got, []string{"Coupure"}) {
			t.Error(got)
		}
	})
	draft := func(accounts ...hosting.AccountID) hosting.BulkID {
		t.Helper()
		return must(st.DraftBulk(t.Context(), boss, store.BulkSpec{Act: hosting.BulkAnnounce, Accounts: accounts}))(t).ID
	}
	t.Run("to some, and by mail to their owners, each once in her language", func(t *testing.T) {
		spec.TitleFR, spec.Mail = "Rendez-vous", true
		to := draft(a.ID, b.ID, c.ID)
		refused(t, st.StartBulk(t.Context(), boss, to), hosting.Conflict, "", "announcement.unwritten")
		some, sending, err := st.CreateAnnouncement(t.Context(), boss, spec, to)
		ok(t, err)
		_, _, err = st.CreateAnnouncement(t.Context(), boss, spec, to)
		refused(t, err, hosting.Conflict, "", "announcement.sent_already")
		runBulks(t, st)
		if got := outcome(must(st.Bulk(t.Context(), boss, sending))(t)); got != "ended: 2 of 3, 0 wait; no_owner1[C]" {
			t.Error(got)
		}
		mails, _, err := st.Mails(t.Context(), everything, store.MailFilter{PerPage: 100})
		ok(t, err)
		told := map[hosting.Email]string{}
		for _, m := range mails {
			if m.Kind == hosting.MailAnnouncement {
				if told[m.Email] != "" {
					t.Errorf("%s is written to twice", m.Email)
				}
				told[m.Email] = must(st.Mail(t.Context(), everything, m.ID))(t).Args["subject"]
			}
		}
		if len(told) != 2 || told["lea@example.org"] != "Rendez-vous" || told[english.Email] != "Outage" {
			t.Error(told)
		}
		if got := banners(lea, a); !slices.Equal(got, []string{"Rendez-vous"}) {
			t.Error(got)
		}
		t.Run("what is changed is shown changed, what is ended is not", func(t *testing.T) {
			spec.TitleFR, spec.TitleEN, spec.TextEN = "Rendez-vous déplacé", "", ""
			ok(t, st.UpdateAnnouncement(t.Context(), boss, some.ID, spec))
			if got := banners(lea, b); !slices.Equal(got, []string{"Rendez-vous déplacé"}) {
				t.Error(got)
			}
			refused(t, st.EndAnnouncement(t.Context(), tech, some.ID), hosting.Forbidden, "", "error.forbidden")
			ok(t, st.EndAnnouncement(t.Context(), boss, some.ID))
			if got := banners(lea, b); len(got) != 0 {
				t.Error(got)
			}
			ok(t, st.RemoveAnnouncement(t.Context(), boss, some.ID))
			refused(t, st.RemoveAnnouncement(t.Context(), boss, some.ID), hosting.NotFound, "", "announcement.not_found")
		})
	})
	t.Run("to others only: it is neither shown to a member nor put away by her", func(t *testing.T) {
		spec.Mail = false
		to := draft(c.ID)
		n, _, err := st.CreateAnnouncement(t.Context(), boss, spec, to)
		ok(t, err)
		if got := banners(lea, c); len(got) != 0 {
			t.Error(got)
		}
		if got := banners(lea, a); len(got) != 0 {
			t.Error(got)
		}
		refused(t, st.DismissBanner(t.Context(), lea, n.ID), hosting.NotFound, "", "announcement.not_found")
	})
	t.Run("what is removed while it is sent is not sent", func(t *testing.T) {
		spec.Mail = true
		n, sending, err := st.CreateAnnouncement(t.Context(), boss, spec, 0)
		ok(t, err)
		ok(t, st.RemoveAnnouncement(t.Context(), boss, n.ID))
		runBulks(t, st)
		if r := must(st.Bulk(t.Context(), boss, sending))(t); r.Done != 0 || r.RefusedCount() != 3 || r.Refused[0].Why != "announcement.not_found" {
			t.Error(outcome(r))
		}
	})
	entries, _, err := st.Audit(t.Context(), everything, store.AuditFilter{Search: "announcement.", PerPage: 100})
	ok(t, err)
	counts := map[string]int{}
	for _, e := range entries {
		counts[e.Action]++
	}
	if counts["announcement.create"] != 4 || counts["announcement.mail"] != 2 || counts["announcement.update"] != 1 || counts["announcement.end"] != 1 || counts["announcement.delete"] != 2 {
		t.Error(counts)
	}
}
