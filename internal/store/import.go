package store

import (
	"context"
	"errors"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// ImportOutcome is what became, or would become, of a line of a list.
type ImportOutcome struct {
	hosting.ImportRow
	Exists bool // an account of that name is there already; it stays as it is
}

// errDry undoes a transaction that was only to show what it would do.
var errDry = errors.New("store: dry run")

// ImportAccounts creates the accounts of a list, each with the person who
// begins it, in one transaction: when a line is refused, nothing is created. A
// line without a plan gets the oldest. With dry set nothing is created either
// way. Refusals are in the outcomes; whether any account is there now is
// created.
func (s *Store) ImportAccounts(ctx context.Context, actor hosting.Actor, rows []hosting.ImportRow, dry bool) (outcomes []ImportOutcome, created int, err error) {
	err = s.write(ctx, actor, "account.create", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminAccounts); err != nil {
			return err
		}
		outcomes, created = make([]ImportOutcome, len(rows)), 0
		refused := false
		for i, row := range rows {
			exists, err := t.importRow(&row)
			var no *hosting.Error
			switch {
			case errors.As(err, &no) && no.Kind != hosting.Unavailable, errors.As(err, new(hosting.Errors)):
				row.Err, refused = err, true
			case err != nil:
				return err
			case !exists:
				created++
			}
			outcomes[i] = ImportOutcome{row, exists}
		}
		if dry || refused {
			return errDry
		}
		t.same = created == 0
		return nil
	})
	if errors.Is(err, errDry) {
		return outcomes, 0, nil
	}
	return outcomes, created, err
}

// importRow creates one account, or leaves no trace of it.
func (t *tx) importRow(row *hosting.ImportRow) (exists bool, err error) {
	if row.Err != nil {
		return false, row.Err
	}
	switch _, err := one[int](t.DB, "SELECT 1 FROM accounts WHERE name = ? AND removing = 0", row.Account.Name); {
	case err == nil:
		return true, nil
	case !errors.Is(err, errNoRow):
		return false, err
	}
	if row.Account.Plan == "" {
		if row.Account.Plan, err = one[hosting.PlanName](t.DB, "SELECT name FROM plans ORDER BY id LIMIT 1"); err != nil {
			return false, orNotFound(err, "plan")
		}
	}
	noted := len(t.entries)
	const point = "import_row"
	if err := t.DB.SavePoint(point).Error; err != nil {
		return false, err
	}
	account, err := t.createAccount(row.Account)
	if err == nil && row.Person.Email != "" {
		_, _, err = t.addMember(row.Person, MembershipSpec{Account: account.ID, Role: row.Role})
	}
	if err != nil {
		t.entries = t.entries[:noted]
		return false, errors.Join(err, rollBack(t.DB, point))
	}
	return false, nil
}

func rollBack(db *gorm.DB, point string) error { return db.RollbackTo(point).Error }
