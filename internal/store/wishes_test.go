package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cancale/internal/hosting"
	"cancale/internal/testenv"
)

func TestWishesAreWhatSiteAndDatabaseAnswer(t *testing.T) {
	st, node := testenv.Stores(t)
	root := hosting.System("test")
	plan, err := st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "all", Sites: hosting.Unlimited, Databases: hosting.Unlimited, FTPLogins: hosting.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	account, err := st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "asso", Plan: plan.Name})
	if err != nil {
		t.Fatal(err)
	}
	sites, err := st.CreateSites(t.Context(), root, account.ID, []hosting.SiteSpec{
		{Host: "a.example.org", Aliases: []hosting.Hostname{"b.example.org", "c.example.org"}}, {Host: "d.example.org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.CreateDatabase(t.Context(), root, account.ID, "asso_blog"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.RemoveSite(t.Context(), root, sites[1].ID); err != nil {
		t.Fatal(err)
	}
	if err := st.SuspendAccount(t.Context(), root, account.ID); err != nil {
		t.Fatal(err)
	}

	got, err := node.Wishes(t.Context())
	if err != nil || len(got.Sites) != 2 || len(got.Databases) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, s := range got.Sites {
		want, err := node.Site(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}
	}
	want, err := node.Database(t.Context(), got.Databases[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Databases[0]); diff != "" {
		t.Error(diff)
	}
}
