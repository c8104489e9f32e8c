package panel

import (
	"slices"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// shell is what surrounds a page of somebody who is signed in. It takes the
// messages that wait for the next page.
func (r *Request) shell() (views.Page, error) {
	current, err := r.current()
	if err != nil {
		return views.Page{}, err
	}
	page := views.Page{
		Theme:   r.theme,
		CSRF:    r.csrf(),
		Person:  r.Session.Person,
		Actor:   r.Actor,
		Account: current,
		Path:    r.echo.Request().URL.RequestURI(),
		Now:     r.now,
		Behalf:  r.Session.Behalf,
	}
	for _, account := range r.switcher {
		page.Accounts = append(page.Accounts, views.AccountChoice{ID: account.ID, Label: labelOf(account)})
	}
	if r.Actor.Can(hosting.AdminRequests) {
		if page.Requests, err = r.srv.store.OpenRequests(r.ctx, r.Actor.Scope(hosting.AdminRequests)); err != nil {
			return views.Page{}, err
		}
	}
	if current != nil {
		if page.Answers, err = r.srv.store.Answers(r.ctx, r.Actor.Scope(hosting.RequestsRead), current.ID); err != nil {
			return views.Page{}, err
		}
	}
	if current != nil && page.Behalf == nil && page.Person.ID != 0 {
		if page.Banners, err = r.srv.store.Banners(r.ctx, r.Actor.Scope(hosting.AccountRead), current.ID, page.Person.ID); err != nil {
			return views.Page{}, err
		}
	}
	if r.unsafe() { // a refused form: its page is the one to come back to
		page.Path = r.path()
	}
	if !r.restored && !r.unsafe() { // a button has nothing to fill in, but wants a fresh click too
		_, r.restored = r.srv.resumed.take(r.sessionKey(), r.path(), r.now)
	}
	page.Restored = r.restored
	if len(r.Session.Flash) > 0 {
		if page.Flash, err = r.srv.store.TakeFlash(r.ctx, r.Session); err != nil {
			return views.Page{}, err
		}
	}
	return page, nil
}

// guestShell is what surrounds a page of somebody who is not.
func (r *Request) guestShell() views.Public {
	return views.Public{Theme: r.theme, CSRF: r.csrf(), Path: r.path()}
}

// current is the account acted for: the one that the page is about, else the
// one that the person chose, else the first. It is nil when there is none.
// With it the request learns what there is to switch between.
func (r *Request) current() (*hosting.Account, error) {
	if r.switcher == nil {
		ids := r.Actor.Accounts()
		if r.acting != 0 {
			ids = append([]hosting.AccountID{r.acting}, ids...)
		}
		found, err := r.srv.store.AccountsAmong(r.ctx, r.Actor.Scope(hosting.AccountRead), ids)
		if err != nil {
			return nil, err
		}
		r.switcher = found
		has := func(id hosting.AccountID) bool {
			return slices.ContainsFunc(found, func(a hosting.Account) bool { return a.ID == id })
		}
		r.acting = 0
		if i := slices.IndexFunc(ids, has); i >= 0 {
			r.acting = ids[i]
		}
	}
	for i := range r.switcher {
		if r.switcher[i].ID == r.acting {
			return &r.switcher[i], nil
		}
	}
	return nil, nil //nolint:nilnil // no account is a normal thing: somebody of the team, a person whose role ended
}

// chosen is the current account with its plan and what it has; nil when there
// is none.
func (r *Request) chosen() (*store.AccountRow, error) {
	current, err := r.current()
	if err != nil || current == nil {
		return nil, err
	}
	row, err := r.srv.store.Account(r.ctx, r.Actor.Scope(hosting.AccountRead), current.ID)
	if err != nil {
		return nil, err
	}
	return &row, nil
}
