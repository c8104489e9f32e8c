package secret

import (
	"bytes"
	"testing"
)

func TestASealIsOpenedForItsUseOnly(t *testing.T) {
	s := NewSealer(bytes.Repeat([]byte("k"), 32))
	sealed, err := s.Seal("mail", []byte("a password"))
	if err != nil || bytes.Contains(sealed, []byte("password")) {
		t.Fatal(sealed, err)
	}
	if again, err := s.Seal("mail", []byte("a password")); err != nil || bytes.Equal(sealed, again) {
		t.Error("two seals of the same are equal", err)
	}
	if got, err := s.Open("mail", sealed); err != nil || string(got) != "a password" {
		t.Fatal(got, err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, try := range map[string]struct {
		s      Sealer
		use    string
		sealed []byte
	}{
		"for another use":         {s, "totp", sealed},
		"changed":                 {s, "mail", changed},
		"cut":                     {s, "mail", sealed[:5]},
		"of another secret":       {NewSealer(bytes.Repeat([]byte("x"), 32)), "mail", sealed},
		"with a key that is none": {Sealer{}, "mail", sealed},
	} {
		if got, err := try.s.Open(try.use, try.sealed); err == nil {
			t.Errorf("%s: opened: %q", name, got)
		}
	}
	if _, err := NewSealer([]byte("short")).Seal("mail", nil); err == nil {
		t.Error("a short secret seals")
	}
}
