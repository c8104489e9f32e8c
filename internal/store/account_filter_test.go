package store_test

import (
	"slices"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestAccountFilters(t *testing.T) {
	st := testenv.Store(t)
	must(st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "small", Label: "Small"}))(t)
	const day = 24 * time.Hour
	for name, a := range map[string]hosting.AccountSpec{
		"year":  {Plan: "asso", Expires: new(time.Now().Add(365 * day))},
		"month": {Plan: "small", Expires: new(time.Now().Add(29 * day))},
		"past":  {Plan: "small", Expires: new(time.Now().Add(-day))},
		"off":   {Plan: "asso", Expires: new(time.Now().Add(-day))},
		"never": {Plan: "asso"},
	} {
		a.Name, a.Label = hosting.AccountName(name), "Les amis de "+name
		account := must(st.CreateAccount(t.Context(), root, a))(t)
		if name == "off" {
			ok(t, st.SuspendAccount(t.Context(), root, account.ID))
		}
	}
	for what, c := range map[string]struct {
		filter store.AccountFilter
		want   []string
	}{
		"nothing":               {store.AccountFilter{}, []string{"month", "never", "off", "past", "year"}},
		"up to date":            {store.AccountFilter{Dues: hosting.DuesValid}, []string{"month", "year"}},
		"ends soon":             {store.AccountFilter{Dues: hosting.DuesSoon}, []string{"month"}},
		"past its end":          {store.AccountFilter{Dues: hosting.DuesEnded}, []string{"off", "past"}},
		"without a date":        {store.AccountFilter{Dues: hosting.DuesOpen}, []string{"never"}},
		"no such membership":    {store.AccountFilter{Dues: "x' OR 1"}, []string{}},
		"two at once":           {store.AccountFilter{Dues: hosting.DuesEnded, State: hosting.Suspended}, []string{"off"}},
		"all at once":           {store.AccountFilter{Dues: hosting.DuesEnded, State: hosting.Live, Plan: "small", Search: "AMIS de pa"}, []string{"past"}},
		"all at once, and none": {store.AccountFilter{Dues: hosting.DuesOpen, State: hosting.Suspended}, []string{}},
	} {
		t.Run(what, func(t *testing.T) {
			got := []string{}
			ok(t, st.EachAccount(t.Context(), everything, c.filter, func(a store.AccountRow) error {
				got = append(got, string(a.Name))
				return nil
			}))
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	t.Run("who may see nothing sees nothing", func(t *testing.T) {
		ok(t, st.EachAccount(t.Context(), hosting.Scope{}, store.AccountFilter{}, func(a store.AccountRow) error {
			t.Error(a.Name)
			return nil
		}))
	})
	t.Run("among 10,000", func(t *testing.T) {
		ok(t, st.DB().Exec("INSERT INTO accounts (name, label, plan_id, suspended, removing, expires, note, created_at)"+
			" SELECT CONCAT('a', seq), CONCAT('Association ', seq), (SELECT MIN(id) FROM plans), seq % 7 = 0, 0, NOW() - INTERVAL 200 DAY + INTERVAL seq % 500 DAY, '', NOW() FROM "+numbers(4)).Error)
		for _, sort := range []string{"label", "plan", "state", "sites", "-expires"} {
			_, total, err := st.Accounts(t.Context(), everything, store.AccountFilter{Dues: hosting.DuesEnded, State: hosting.Live, Search: "tion 7", Sort: sort, Page: 2, PerPage: 40})
			if err != nil || total < 100 {
				t.Errorf("by %s: %d: %v", sort, total, err)
			}
		}
		n := 0
		ok(t, st.EachAccount(t.Context(), everything, store.AccountFilter{}, func(store.AccountRow) error { n++; return nil }))
		if n != 10_005 {
			t.Errorf("%d of 10,005", n)
		}
	})
}
