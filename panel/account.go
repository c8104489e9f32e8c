package panel

import (
	"errors"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// acts is the account that a page without an id is for. The person must hold
// the page's permission there, not just somewhere.
func (r *Request) acts() (*store.AccountRow, error) {
	account, err := r.chosen()
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, errChoose
	}
	if !r.Actor.CanIn(r.need, account.ID) {
		return nil, errForbidden
	}
	return account, nil
}

// errChoose says that the answer is the list of associations to choose from.
var errChoose = hosting.Refuse(hosting.NotFound, "", "account.choose")

// chooseFirst sends somebody of the team, who asks for a page of an
// association without having chosen one, to the list of them.
func (r *Request) chooseFirst(err error) error {
	if !errors.Is(err, errChoose) {
		return err
	}
	if r.Actor.Can(hosting.AdminRead) {
		return r.Redirect("/admin/accounts")
	}
	return r.Redirect("/")
}

// about makes the page that of a thing's account: the switcher shows it, and
// the next pages are of it too. A person who sees the thing but lacks the
// page's permission there is refused.
func (r *Request) about(id hosting.AccountID) error {
	if !r.Actor.CanIn(r.need, id) {
		return errForbidden
	}
	r.acting, r.switcher = id, nil
	if r.Session.Account == id || r.unsafe() || r.partial() {
		return nil
	}
	return r.srv.store.ChooseAccount(r.ctx, r.Session, id)
}

// page draws one of our pages inside what surrounds it.
func (r *Request) page(draw func(views.Page) error) error {
	page, err := r.shell()
	if err != nil {
		return err
	}
	return draw(page)
}
