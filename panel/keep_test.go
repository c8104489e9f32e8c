package panel

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testKeys(t *testing.T) keys {
	t.Helper()
	k, err := newKeys([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestATicketIsGoodForItsBrowserOnly(t *testing.T) {
	k := testKeys(t)
	want := ticket{Nonce: newNonce(), Person: 7, Account: 1 << 40}
	s := k.issue(want, "cookie")
	if got, valid := k.open(s, "cookie"); !valid || got != want {
		t.Fatalf("got %+v, valid %v", got, valid)
	}
	other, err := newKeys([]byte(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(s)
	flipped[3] ^= 1
	for name, try := range map[string]struct {
		keys    keys
		s, bind string
	}{
		"of another browser":      {k, s, "other"},
		"of a browser without":    {k, k.issue(want, ""), ""},
		"of another installation": {other, s, "cookie"},
		"changed":                 {k, string(flipped), "cookie"},
		"cut":                     {k, s[:len(s)-1], "cookie"},
		"empty":                   {k, "", "cookie"},
		"long":                    {k, s + "AAAA", "cookie"},
		"noise":                   {k, strings.Repeat("A", 60), "cookie"},
	} {
		if _, valid := try.keys.open(try.s, try.bind); valid {
			t.Errorf("a ticket that is %s is valid", name)
		}
	}
}

func FuzzOpenTicket(f *testing.F) {
	k, err := newKeys([]byte(strings.Repeat("k", 32)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.issue(ticket{Person: 1, Account: 2}, "other"))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if _, valid := k.open(s, "cookie"); valid {
			t.Fatalf("%q is valid", s)
		}
	})
}

func TestAShortSecretIsRefused(t *testing.T) {
	if _, err := newKeys([]byte("short")); err == nil {
		t.Error("accepted")
	}
}

func TestLocalPath(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"/":                             "/",
		"/sites/12":                     "/sites/12",
		"/sites?state=failed&q=a+b":     "/sites?state=failed&q=a+b",
		"/sites#x":                      "/sites",
		"//evil.example":                "",
		"///evil.example":               "",
		"/\\evil.example":               "",
		"/\t/evil.example":              "",
		"\t//evil.example":              "",
		"https://evil.example":          "",
		"javascript:alert(1)":           "",
		"evil":                          "",
		"/%09/evil.example":             "",
		"/%5cevil.example":              "",
		"/%2f/evil.example":             "",
		"/a\r\nSet-Cookie: x":           "",
		"/%0d%0aSet-Cookie":             "",
		"/" + strings.Repeat("a", 3000): "",
	} {
		if got := localPath(in); got != want {
			t.Errorf("%.40q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	f.Add("/sites")
	f.Add("//evil.example")
	base, err := url.Parse("http://panel.example:8600/signin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := localPath(s)
		if got == "" {
			return
		}
		u, err := base.Parse(got)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || got[0] != '/' || strings.ContainsAny(got, "\\\r\n\t") || strings.HasPrefix(got, "//") {
			t.Errorf("%q leads to %q", s, got)
		}
	})
}

func TestAParkedFormComesBackWhole(t *testing.T) {
	k, now := testKeys(t), time.Now().Round(0)
	want := parked{Person: 3, Account: 4, Page: "/sites/new", Values: url.Values{"host": {"é.example"}}, At: now.UTC()}
	s := k.park(want)
	if strings.Contains(s, "host") {
		t.Error("readable")
	}
	got, found := k.unpark(s, now)
	if diff := cmp.Diff(want, got); !found || diff != "" {
		t.Error(found, diff)
	}
	if _, found := k.unpark(s, now.Add(parkedLife+time.Minute)); found {
		t.Error("found after its time")
	}
	if _, found := k.unpark(s[:len(s)-2]+"AA", now); found {
		t.Error("found although it was changed")
	}
	if s := k.park(parked{Values: url.Values{"note": {strings.Repeat("a", parkedSize)}}}); s != "" {
		t.Error("a very large form is carried along")
	}
}

func TestPasswordsAndTicketsAreNotKept(t *testing.T) {
	got := kept(url.Values{ticketField: {"t"}, "password": {"p"}, "new_password": {"p"}, "old": {"p"}, "host": {"h"}})
	if diff := cmp.Diff(url.Values{"host": {"h"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAShelfGivesAThingOnce(t *testing.T) {
	var s shelf[string]
	now := time.Now()
	s.put("1", "/a", "x", now)
	if _, found := s.take("2", "/a", now); found {
		t.Error("another session takes it")
	}
	if _, found := s.take("1", "/b", now); found {
		t.Error("another page takes it")
	}
	if v, found := s.take("1", "/a", now); !found || v != "x" {
		t.Error("it is not there")
	}
	if _, found := s.take("1", "/a", now); found {
		t.Error("it is there twice")
	}
	s.put("1", "/a", "x", now)
	if _, found := s.take("1", "/a", now.Add(shelfLife+time.Second)); found {
		t.Error("it is there after its time")
	}
}

func TestAttempts(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	key := keyOf(newNonce(), "1", "/sites/new", url.Values{"host": {"a"}})

	t.Run("the second of two at once waits and goes where the first went", func(t *testing.T) {
		var a attempts
		_, finish, err := a.begin(ctx, key, now)
		if err != nil || finish == nil {
			t.Fatal("an earlier attempt is known", err)
		}
		var location string
		var others sync.WaitGroup
		started := make(chan struct{})
		others.Go(func() {
			close(started)
			location, _, err = a.begin(ctx, key, now)
		})
		<-started
		finish("/sites/1", true)
		others.Wait()
		if location != "/sites/1" || err != nil {
			t.Error(location, err)
		}
	})
	t.Run("a refused one is tried again", func(t *testing.T) {
		var a attempts
		_, finish, _ := a.begin(ctx, key, now)
		finish("", false)
		if _, finish, err := a.begin(ctx, key, now); err != nil || finish == nil {
			t.Error("not tried")
		}
	})
	t.Run("waiting ends with the request", func(t *testing.T) {
		var a attempts
		if _, _, err := a.begin(ctx, key, now); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithCancel(ctx)
		cancel()
		if _, _, err := a.begin(short, key, now); err == nil {
			t.Error("no error")
		}
	})
	t.Run("old ones are forgotten", func(t *testing.T) {
		var a attempts
		_, finish, _ := a.begin(ctx, key, now)
		finish("/x", true)
		if _, finish, _ := a.begin(ctx, key, now.Add(2*memory)); finish == nil {
			t.Error("remembered for ever")
		}
	})
	t.Run("other values, another session or another page are other attempts", func(t *testing.T) {
		n := newNonce()
		base := keyOf(n, "1", "/a", url.Values{"x": {"1"}})
		for _, other := range []attemptKey{
			keyOf(n, "1", "/a", url.Values{"x": {"2"}}),
			keyOf(n, "2", "/a", url.Values{"x": {"1"}}),
			keyOf(n, "1", "/b", url.Values{"x": {"1"}}),
			keyOf(newNonce(), "1", "/a", url.Values{"x": {"1"}}),
		} {
			if other == base {
				t.Error("equal")
			}
		}
	})
}
