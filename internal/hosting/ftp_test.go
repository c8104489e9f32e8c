package hosting

import "testing"

func TestFTPRights(t *testing.T) {
	for rights, want := range map[FTPRights][3]bool{
		"":            {true, true, true},
		FTPReadWrite:  {true, true, true},
		FTPReadOnly:   {true, false, false},
		FTPUploadOnly: {false, true, false},
	} {
		if got := [3]bool{rights.Fetches(), rights.Adds(), rights.Changes()}; got != want {
			t.Errorf("%q: %v, want %v", rights, got, want)
		}
		if parsed, err := ParseFTPRights(string(rights)); err != nil || parsed != rights && rights != "" {
			t.Errorf("%q: %q, %v", rights, parsed, err)
		}
	}
	if _, err := ParseFTPRights("all"); FieldErrors(err)["rights"].IsZero() {
		t.Error("unknown rights are taken")
	}
}

func TestFTPTerms(t *testing.T) {
	for text, want := range map[string]int{"": 0, "1": 1, "10000000": 10_000_000} {
		if n, err := ParseFTPLimit("speed_kb", text); err != nil || n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"0", "-1", "x", "1.5", "10000001"} {
		if _, err := ParseFTPLimit("speed_kb", text); FieldErrors(err)["speed_kb"].IsZero() {
			t.Errorf("%q is taken", text)
		}
	}
	bad := FTPTerms{Rights: "x", SpeedKB: -1, Sessions: 1 << 30}
	if fields := FieldErrors(bad.Check()); len(fields) != 3 {
		t.Errorf("%v", fields)
	}
	if err := (FTPTerms{Rights: FTPUploadOnly, SpeedKB: 1, Sessions: 1}).Check(); err != nil {
		t.Error(err)
	}
}
