// Package views is the HTML of the panel: one component per page, written for
// people, in French and in English.
//
// Each page takes Page (what surrounds it) and its own parameters, typed, with
// values of the domain. Nothing here queries, decides who may do what, or knows
// of a request; the language is that of the context (internal/i18n).
package views

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
)

// Page is what surrounds the content of every page. Pages choose their own
// title and their own place in the menu.
type Page struct {
	Theme    string // "auto", "light" or "dark"
	CSRF     string // token of this session, written into every form
	Person   hosting.Person
	Actor    hosting.Actor // the menu shows what it may do
	Accounts []AccountChoice
	Account  *hosting.Account  // the association acted for; nil when there is none
	Flash    []hosting.Message // what was just done
	Restored bool              // the form is filled in again after the session had ended; not sent yet
	Path     string            // this page, to come back to after a change of language, theme or association
	Now      time.Time
	Behalf   *hosting.Account       // in whose place somebody of the team acts
	Requests int                    // of all associations, that wait for the team; for the team only
	Answers  int                    // of the team, to this association, that nobody closed
	Banners  []hosting.Announcement // to this association, that the person has not put away
}

// AccountChoice is an association in the switcher. Choosing is a POST to
// /account with the fields account (its id) and next.
type AccountChoice struct {
	ID    hosting.AccountID
	Label string
}

// Errors is what was refused in a form, by the name of the field; the entry ""
// belongs to no field. It is hosting.FieldErrors of the error.
type Errors map[string]hosting.Message

// List is one page of a longer list: how to move in it, sort it and filter it.
// All links are made from Path and Query, so that filters survive.
//
// The fields of the query: q (text looked for), sort (a column, with "-" in
// front for descending), page, and the page's own filters.
type List struct {
	Path    string     // "/admin/accounts"
	Query   url.Values // of the request
	Total   int        // rows that match
	Page    int        // from 1
	PerPage int
}

// Search is the text looked for.
func (l List) Search() string { return l.Query.Get("q") }

// Filter is the value of one of the page's own filters.
func (l List) Filter(name string) string { return l.Query.Get(name) }

// Filtered reports whether anything but order and page was chosen.
func (l List) Filtered() bool {
	for name, values := range l.Query {
		if name != "page" && name != "sort" && len(values) > 0 && values[0] != "" {
			return true
		}
	}
	return false
}

// Pages is how many pages there are.
func (l List) Pages() int {
	if l.PerPage <= 0 {
		return 1
	}
	return max(1, (l.Total+l.PerPage-1)/l.PerPage)
}

// First and Last are the numbers of the first and last row of this page.
func (l List) First() int { return min(l.Total, (max(l.Page, 1)-1)*l.PerPage+1) }

// Last is the number of the last row of this page.
func (l List) Last() int {
	if l.PerPage <= 0 {
		return l.Total
	}
	return min(l.Total, max(l.Page, 1)*l.PerPage)
}

// PageURL leads to page n.
func (l List) PageURL(n int) string { return l.with("page", strconv.Itoa(n)) }

// Under leads to what is below the list, such as its download, with its
// filters and its order.
func (l List) Under(rest string) string {
	q := url.Values{}
	for k, v := range l.Query {
		if len(v) > 0 && v[0] != "" && k != "page" {
			q[k] = v
		}
	}
	if len(q) == 0 {
		return l.Path + rest
	}
	return l.Path + rest + "?" + q.Encode()
}

// SortURL sorts by column, or turns the order round when it is sorted so.
func (l List) SortURL(column string) string {
	if l.Query.Get("sort") == column {
		column = "-" + column
	}
	return l.with("sort", column)
}

// Sorted is the aria-sort of a column, "" when the list is not sorted by it.
// first says that the list is sorted by it when nothing is asked.
func (l List) Sorted(column string, first bool) string {
	asked := l.Query.Get("sort")
	switch {
	case asked == column, asked == "" && first:
		return "ascending"
	case strings.TrimPrefix(asked, "-") == column && asked != "":
		return "descending"
	}
	return ""
}

func (l List) with(name, value string) string {
	q := url.Values{}
	for k, v := range l.Query {
		if len(v) > 0 && v[0] != "" && k != "page" {
			q[k] = v
		}
	}
	q.Set(name, value)
	return l.Path + "?" + q.Encode()
}

// Room is what a plan leaves for one more thing.
type Room struct {
	Plan  hosting.Plan
	Usage hosting.Usage
	Space hosting.Space
}

// ConfirmForm is a destruction that asks for the name of what it destroys, in
// the field confirm.
type ConfirmForm struct {
	Confirm string `form:"confirm"`
	Errors  Errors `form:"-"`
}
