package ui

import (
	"slices"
	"testing"
)

func TestRichTextHasBoldAndCodeAndNoOtherMarkup(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a **b** c `d`", "a <b>b</b> c <code>d</code>"},
		{"<b>&\"'", "&lt;b&gt;&amp;&#34;&#39;"},
		{"**<i>**", "<b>&lt;i&gt;</b>"},
		{"5 ** 2", "5 ** 2"},
		{"a `b", "a `b"},
	} {
		if got := rich(c.text); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestInitials(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"Souffle en Baie", "SB"},
		{"Le Café des Proches", "LC"},
		{"Répit", "R"},
		{"", ""},
		{"être là", "ÊL"},
		{"3 petits pas", "3P"},
	} {
		if got := Initials(c.name); got != c.want {
			t.Errorf("%q: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPagesThatAreOffered(t *testing.T) {
	for _, c := range []struct {
		page, pages int
		want        []int
	}{
		{1, 1, []int{1}},
		{1, 3, []int{1, 2, 3}},
		{4, 9, []int{1, 2, 3, 4, 5, 0, 9}},
		{5, 9, []int{1, 0, 4, 5, 6, 0, 9}},
		{9, 9, []int{1, 0, 8, 9}},
		{100, 205, []int{1, 0, 99, 100, 101, 0, 205}},
	} {
		if got := pageNumbers(c.page, c.pages); !slices.Equal(got, c.want) {
			t.Errorf("page %d of %d: got %v, want %v", c.page, c.pages, got, c.want)
		}
	}
}

func TestHowFullSomethingIs(t *testing.T) {
	for _, c := range []struct{ used, limit, want int }{{0, 0, 100}, {0, 5, 0}, {4, 5, 80}, {6, 5, 100}, {3, -1, 100}, {0, -1, 0}} {
		if got := percent(c.used, c.limit); got != c.want {
			t.Errorf("%d of %d: got %d, want %d", c.used, c.limit, got, c.want)
		}
	}
}
