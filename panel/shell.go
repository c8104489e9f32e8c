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
	page := views.Page{
		Theme:  r.theme,
		Person: r.Session.Person,
		Actor:  r.Actor,
		Path:   r.echo.Request().URL.RequestURI(),
		Now:    r.now,
	}
	if r.unsafe() { // a refused form: its page is the one to come back to
		page.Path = r.path()
	}
	account, err := r.chosen()
	if err != nil {
		return views.Page{}, err
	}
	if account != nil {
		page.Account = &account.Account
	}
	if page.Accounts, err = r.choices(account); err != nil {
		return views.Page{}, err
	}
	if !r.restored && !r.unsafe() { // a button has nothing to fill in, but wants a fresh click too
		_, r.restored = r.srv.resumed.take(r.sessionKey(), r.path(), r.now)
	}
	page.Restored = r.restored
	page.CSRF = r.csrf()
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

// chosen is the account acted for: the one that the page is about, else the
// one that the person chose, else the first. It is nil when there is none.
func (r *Request) chosen() (*store.AccountRow, error) {
	if r.account != nil {
		return r.account, nil
	}
	scope := r.Actor.Scope(hosting.AccountRead)
	candidates := r.Actor.Accounts()
	if r.acting != 0 {
		candidates = append([]hosting.AccountID{r.acting}, candidates...)
	}
	for _, id := range candidates {
		if !scope.Has(id) {
			continue
		}
		account, err := r.srv.store.Account(r.ctx, scope, id)
		if err == nil {
			r.account, r.acting = &account, id
			return r.account, nil
		}
		if hosting.KindOf(err) != hosting.NotFound {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // no account is a normal thing: somebody of the team, a person whose role ended
}

// switcherRoom is how many accounts the switcher lists.
const switcherRoom = 100

// choices is the switcher: the accounts that the person is a member of, and
// the one acted for.
func (r *Request) choices(current *store.AccountRow) ([]views.AccountChoice, error) {
	list := []views.AccountChoice{}
	scope := r.Actor.Scope(hosting.AccountRead)
	if !scope.All() {
		rows, _, err := r.srv.store.Accounts(r.ctx, scope, store.AccountFilter{Page: 1, PerPage: switcherRoom, Sort: "label"})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			list = append(list, views.AccountChoice{ID: row.ID, Label: row.Label})
		}
		return list, nil
	}
	// Somebody of the team sees all accounts, and switches between their own.
	ids := r.Actor.Accounts()
	if current != nil {
		list = append(list, views.AccountChoice{ID: current.ID, Label: current.Label})
		ids = slices.DeleteFunc(ids, func(id hosting.AccountID) bool { return id == current.ID })
	}
	for _, id := range ids {
		account, err := r.srv.store.Account(r.ctx, scope, id)
		switch {
		case err == nil:
			list = append(list, views.AccountChoice{ID: id, Label: account.Label})
		case hosting.KindOf(err) != hosting.NotFound:
			return nil, err
		}
	}
	return list, nil
}
