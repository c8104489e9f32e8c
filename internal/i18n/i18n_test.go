package i18n

import (
	"context"
	"testing"
	"time"
)

func french() context.Context  { return WithZone(WithLang(context.Background(), "fr"), time.UTC) }
func english() context.Context { return WithZone(WithLang(context.Background(), "en"), time.UTC) }

func TestTextsWithArguments(t *testing.T) {
	for _, c := range []struct {
		what, got, want string
	}{
		{"French is the default", T(context.Background(), "nav.sites"), "Sites"},
		{"an unknown language is the default", Text("br", "button.delete"), "Supprimer"},
		{"English", Text("en", "button.delete"), "Delete"},
		{"a key that does not exist is shown as it is", Text("en", "no.such.key", "x"), "no.such.key"},
		{"arguments in their places", fill("{1} avant {0}, {1}", []string{"a", "b"}), "b avant a, b"},
		{"an argument is not read again", fill("{0}", []string{"{1}{0}"}), "{1}{0}"},
		{"a place without argument stays", fill("{0} {1} {x} {", []string{"a"}), "a {1} {x} {"},
		{"French has no plural for zero", T(french(), "sites.count", 0), "0 site"},
		{"nor for one", T(french(), "sites.count", 1), "1 site"},
		{"but for two", T(french(), "sites.count", 2), "2 sites"},
		{"English has one for zero", T(english(), "sites.count", 0), "0 sites"},
		{"but not for one", T(english(), "sites.count", 1), "1 site"},
		{"a count may be a text", Message(english(), "sites.count", []string{"1"}), "1 site"},
		{"digits are grouped", T(french(), "sites.count", 12004), "12\u202f004 sites"},
		{"as the language does", T(english(), "sites.count", 1234567), "1,234,567 sites"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
}

func TestNumbersSizesAndDates(t *testing.T) {
	then := time.Date(2026, 6, 1, 8, 5, 0, 0, time.UTC)
	now := then.Add(12 * time.Hour)
	for _, c := range []struct{ got, want string }{
		{Number(french(), -1234), "-1\u202f234"},
		{Number(english(), 999), "999"},
		{Bytes(french(), 0), "0\u00a0o"},
		{Bytes(french(), 9019431322), "8,4\u00a0Go"},
		{Bytes(english(), 9019431322), "8.4\u00a0GB"},
		{Bytes(french(), 10<<30), "10\u00a0Go"},
		{Bytes(english(), 430<<20), "430\u00a0MB"},
		{Bytes(english(), 1536), "1.5\u00a0KB"},
		{Date(french(), then), "1er\u00a0juin 2026"},
		{Date(english(), then), "1\u00a0June 2026"},
		{LongDate(french(), then), "lundi 1er\u00a0juin 2026"},
		{Clock(french(), then), "8\u00a0h\u00a005"},
		{Clock(english(), then), "08:05"},
		{DateTime(english(), then), "1\u00a0June 2026, 08:05"},
		{Ago(french(), then, then), "à l’instant"},
		{Ago(french(), then, then.Add(3*time.Second)), "il y a 3\u00a0s"},
		{Ago(french(), then.Add(time.Minute), then), "à l’instant"},
		{Ago(english(), then, then.Add(40*time.Minute)), "40\u00a0min ago"},
		{Ago(english(), then, now), "12\u00a0h ago"},
		{Ago(french(), then, now.Add(24*time.Hour)), "hier à 8\u00a0h\u00a005"},
		{Ago(french(), then, now.Add(96*time.Hour)), "le 1er\u00a0juin"},
		{Ago(english(), then, now.AddDate(1, 0, 0)), "on 1\u00a0June 2026"},
		{Delay(french(), 90*time.Second), "1\u00a0min"},
		{Delay(english(), 5*time.Second), "5\u00a0s"},
		{Delay(english(), 47*time.Hour), "47\u00a0h"},
		{Delay(french(), 72*time.Hour), "3\u00a0jours"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestTimesAreToldInTheZoneOfTheContext(t *testing.T) {
	paris := time.FixedZone("Paris", 2*60*60)
	if got := Clock(WithZone(french(), paris), time.Date(2026, 6, 1, 22, 30, 0, 0, time.UTC)); got != "0\u00a0h\u00a030" {
		t.Errorf("got %q", got)
	}
}

func TestTheLanguageOfABrowser(t *testing.T) {
	for _, c := range []struct{ header, want string }{
		{"", "fr"},
		{"en", "en"},
		{"en-GB,en;q=0.9,fr;q=0.8", "en"},
		{"fr-CA;q=0.4, en-US;q=0.6", "en"},
		{"de-DE,de;q=0.9,fr;q=0.5", "fr"},
		{"br,de", "fr"},
		{"en;q=0,*", "fr"},
		{";;q=,,", "fr"},
	} {
		if got := Match(c.header); got != c.want {
			t.Errorf("%q: got %s, want %s", c.header, got, c.want)
		}
	}
}
