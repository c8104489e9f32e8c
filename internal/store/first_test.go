package store_test

import (
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/testenv"
)

func TestFirstAdministrator(t *testing.T) {
	st := testenv.Store(t)
	up := hosting.System("up")
	first, err := st.InviteFirst(t.Context(), up)
	if err != nil || first.Token == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := st.InviteFirst(t.Context(), up)
	if err != nil || second.Token == "" || second.Token == first.Token || second.Person != first.Person {
		t.Fatalf("the next start: %+v, %v", second, err)
	}
	if _, _, err := st.Invitation(t.Context(), first.Token); err == nil || hosting.KindOf(err) != hosting.NotFound {
		t.Errorf("the earlier link: %v", err)
	}
	person, _, err := st.Invitation(t.Context(), second.Token)
	if err != nil || person.Email != hosting.FirstEmail || person.Role != hosting.Administrator {
		t.Errorf("the link is for %+v, %v", person, err)
	}

	t.Run("nobody but the machine may make one", func(t *testing.T) {
		if _, err := st.InviteFirst(t.Context(), hosting.Actor{}); err == nil {
			t.Error("a stranger got a link")
		}
	})

	t.Run("once an administrator can sign in, the open link is void", func(t *testing.T) {
		spec := hosting.PersonSpec{Email: "jeanne@example.org", Name: "Jeanne", Role: hosting.Administrator}
		if _, err := st.CreatePersonWithPassword(t.Context(), up, spec, nil, "une huître perlière"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			none, err := st.InviteFirst(t.Context(), up)
			if err != nil || none.Token != "" {
				t.Fatalf("%+v, %v", none, err)
			}
		}
		if _, _, err := st.Invitation(t.Context(), second.Token); err == nil {
			t.Error("the link still works")
		}
	})
}
