package store

import (
	"context"
	"errors"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

const (
	// bulkDraftLife is how long an act on many accounts waits for its
	// confirmation.
	bulkDraftLife = 24 * time.Hour
	// bulkKept is how long its report can be read.
	bulkKept = 90 * 24 * time.Hour
	// bulkStep is how many accounts StepBulk takes on at once.
	bulkStep = 50
	// bulkNamed is how many accounts are named for each reason.
	bulkNamed = 20
)

// bulkAccount is a row of bulk_accounts.
type bulkAccount struct {
	BulkID    hosting.BulkID
	AccountID hosting.AccountID
	Name      hosting.AccountName
	Label     string
	Expires   *time.Time
	State     hosting.BulkState
	Reason    string
}

// TableName is what GORM asks for.
func (bulkAccount) TableName() string { return "bulk_accounts" }

// BulkSpec is what is to be done to which accounts: to those named, or to all
// that a filter matches.
type BulkSpec struct {
	Act      hosting.BulkAct
	Plan     hosting.PlanName
	Accounts []hosting.AccountID
	All      bool
	Filter   AccountFilter
}

// DraftBulk notes what somebody is about to do to many accounts. Nothing is
// done before StartBulk.
func (s *Store) DraftBulk(ctx context.Context, actor hosting.Actor, spec BulkSpec) (hosting.Bulk, error) {
	bulk := hosting.Bulk{Act: spec.Act, Plan: spec.Plan, PersonID: actor.Person, Actor: actor.Name, Source: actor.Source, State: hosting.BulkDraft}
	scope := actor.Scope(spec.Act.Needs())
	if !scope.All() || actor.Person == 0 {
		return bulk, hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
	}
	err := s.housekeep(ctx, "bulk", func(db *gorm.DB, now time.Time) error {
		if spec.Act == hosting.BulkPlan {
			if _, err := (&tx{DB: db}).planFor(spec.Plan); err != nil {
				return err
			}
		}
		bulk.ID, bulk.CreatedAt = 0, now
		if err := db.Table("bulk_acts").Create(&bulk).Error; err != nil {
			return err
		}
		c := spec.Filter.conditions(scope)
		if !spec.All {
			c = AccountFilter{}.conditions(scope).and("a.id IN ?", append(spec.Accounts, 0))
		}
		added := fillBulk(db, bulk.ID, c)
		if added.Error == nil && added.RowsAffected == 0 {
			return hosting.Refuse(hosting.Invalid, "all", "bulk.none")
		}
		return added.Error
	})
	return bulk, err
}

// fillBulk adds to an act on many accounts those accounts a that
// conditions choose.
func fillBulk(db *gorm.DB, id hosting.BulkID, c *conditions) *gorm.DB {
	return db.Exec("INSERT INTO bulk_accounts (bulk_id, account_id, name, label, expires, state, reason)"+
		" SELECT ?, a.id, a.name, a.label, a.expires, 'waiting', '' FROM accounts a"+c.where(), append([]any{id}, c.args...)...)
}

// readBulk reads an act that the actor may see: with its permission.
func readBulk(db *gorm.DB, actor hosting.Actor, id hosting.BulkID, lock string) (hosting.Bulk, error) {
	bulk, err := one[hosting.Bulk](db, "SELECT * FROM bulk_acts WHERE id = ?"+lock, id)
	if err != nil {
		return bulk, orNotFound(err, "bulk")
	}
	if !actor.Scope(bulk.Act.Needs()).All() || bulk.State == hosting.BulkDraft && bulk.PersonID != actor.Person {
		return hosting.Bulk{}, orNotFound(errNoRow, "bulk")
	}
	return bulk, nil
}

// Bulk says what an act on many accounts will do, or what it has done.
func (s *Store) Bulk(ctx context.Context, actor hosting.Actor, id hosting.BulkID) (hosting.BulkReport, error) {
	db := s.db.WithContext(ctx)
	bulk, err := readBulk(db, actor, id, "")
	if err != nil {
		return hosting.BulkReport{}, err
	}
	report := hosting.BulkReport{Bulk: bulk}
	if bulk.State == hosting.BulkDraft {
		return report, previewBulk(db, &report)
	}
	counts, err := list[struct {
		State  hosting.BulkState
		Reason string
		N      int
	}](db, "SELECT state, reason, COUNT(*) AS n FROM bulk_accounts WHERE bulk_id = ? GROUP BY state, reason ORDER BY n DESC, reason", id)
	if err != nil {
		return report, err
	}
	for _, c := range counts {
		report.Total += c.N
		switch c.State {
		case hosting.BulkDone:
			report.Done += c.N
		case hosting.BulkRefused:
			first, err := list[string](db, "SELECT IF(label = '', name, label) FROM bulk_accounts WHERE bulk_id = ? AND state = 'refused' AND reason = ? ORDER BY label, account_id LIMIT ?", id, c.Reason, bulkNamed)
			if err != nil {
				return report, err
			}
			report.Refused = append(report.Refused, hosting.BulkReason{Why: c.Reason, N: c.N, First: first})
		default:
			report.Waiting += c.N
		}
	}
	return report, nil
}

// previewBulk finds out to which accounts a draft can be done.
func previewBulk(db *gorm.DB, report *hosting.BulkReport) error {
	plan, err := bulkPlan(db, report.Bulk)
	if err != nil {
		return err
	}
	type row struct {
		hosting.Account
		Gone bool
		Seen *time.Time
		Was  string
	}
	// Ten thousand of these are a few megabytes, and read at once.
	rows, err := list[row](db, "SELECT COALESCE(a.removing, 0) AS removing, COALESCE(a.suspended, 0) AS suspended, COALESCE(a.plan_id, 0) AS plan_id, a.expires, a.id IS NULL OR a.kept_until IS NOT NULL AS gone, b.expires AS seen, IF(b.label = '', b.name, b.label) AS was"+
		" FROM bulk_accounts b LEFT JOIN accounts a ON a.id = b.account_id WHERE b.bulk_id = ? ORDER BY b.label, b.account_id", report.ID)
	if err != nil {
		return err
	}
	if report.Act == hosting.BulkPlan {
		after, err := one[hosting.Plan](db, "SELECT * FROM plans WHERE id = ?", plan)
		if err != nil {
			return err
		}
		report.Over, err = effects(db, after, " FROM bulk_accounts b JOIN accounts a ON a.id = b.account_id WHERE b.bulk_id = ? AND a.removing = 0", []any{report.ID})
		if err != nil {
			return err
		}
	}
	at := map[string]int{}
	for _, r := range rows {
		report.Total++
		why := "bulk.why_gone"
		if !r.Gone {
			why = report.Act.Refuses(r.Account, r.Seen, plan)
		}
		if why == "" {
			report.Waiting++
			if len(report.First) < bulkNamed {
				report.First = append(report.First, r.Was)
			}
			continue
		}
		i, known := at[why]
		if !known {
			i = len(report.Refused)
			at[why] = i
			report.Refused = append(report.Refused, hosting.BulkReason{Why: why})
		}
		reason := &report.Refused[i]
		if reason.N++; len(reason.First) < bulkNamed {
			reason.First = append(reason.First, r.Was)
		}
	}
	return nil
}

func bulkPlan(db *gorm.DB, bulk hosting.Bulk) (hosting.PlanID, error) {
	if bulk.Act != hosting.BulkPlan {
		return 0, nil
	}
	plan, err := one[hosting.Plan](db, "SELECT * FROM plans WHERE name = ?", bulk.Plan)
	return plan.ID, orNotFound(err, "plan")
}

// StartBulk confirms a draft, once, by who drew it up. It is then done by
// StepBulk.
func (s *Store) StartBulk(ctx context.Context, actor hosting.Actor, id hosting.BulkID) error {
	return s.write(ctx, actor, "bulk.start", func(t *tx) error {
		bulk, err := readBulk(t.DB, actor, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if t.same = bulk.State != hosting.BulkDraft; t.same {
			return nil // a second click
		}
		if bulk.Act == hosting.BulkAnnounce {
			return hosting.Refuse(hosting.Conflict, "", "announcement.unwritten")
		}
		if _, err := bulkPlan(t.DB, bulk); err != nil {
			return err
		}
		n, err := one[int](t.DB, "SELECT COUNT(*) FROM bulk_accounts WHERE bulk_id = ?", id)
		if err != nil {
			return err
		}
		t.note(0, string(bulk.Act), nil, map[string]any{"Accounts": n, "Plan": bulk.Plan})
		return t.Exec("UPDATE bulk_acts SET state = 'running', source = ? WHERE id = ?", cut(actor.Source, maxSource), id).Error
	})
}

// StopBulk ends an act on many accounts: what is done stays done, the rest is
// left as it is.
func (s *Store) StopBulk(ctx context.Context, actor hosting.Actor, id hosting.BulkID) error {
	return s.write(ctx, actor, "bulk.stop", func(t *tx) error {
		bulk, err := readBulk(t.DB, actor, id, " FOR UPDATE")
		if err != nil {
			return err
		}
		if t.same = bulk.State == hosting.BulkEnded; t.same {
			return nil
		}
		t.note(0, string(bulk.Act), nil, nil)
		err = t.Exec("UPDATE bulk_accounts SET state = 'refused', reason = ? WHERE bulk_id = ? AND state = 'waiting'", "bulk.why_stopped", id).Error
		return errors.Join(err, t.Exec("UPDATE bulk_acts SET state = 'ended', ended_at = ? WHERE id = ?", t.now, id).Error)
	})
}

// StepBulk goes on with the act on many accounts that was confirmed first, for
// some accounts, each in its own transaction. It reports whether there may be
// more to do. What somebody may no longer do is refused, account by account.
func (s *Store) StepBulk(ctx context.Context) (bool, error) {
	db := s.db.WithContext(ctx)
	bulk, err := one[hosting.Bulk](db, "SELECT * FROM bulk_acts WHERE state = 'running' ORDER BY id LIMIT 1")
	if errors.Is(err, errNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	actor, err := s.ActorOf(ctx, bulk.PersonID, bulk.Source)
	if err != nil && hosting.KindOf(err) != hosting.Unauthenticated { // somebody who is gone may do nothing
		return false, err
	}
	waiting, err := list[bulkAccount](db, "SELECT * FROM bulk_accounts WHERE bulk_id = ? AND state = 'waiting' ORDER BY account_id LIMIT ?", bulk.ID, bulkStep)
	if err != nil {
		return false, err
	}
	if len(waiting) == 0 {
		return true, s.housekeep(ctx, "bulk", func(db *gorm.DB, now time.Time) error {
			return db.Exec("UPDATE bulk_acts SET state = 'ended', ended_at = ? WHERE id = ? AND state = 'running'", now, bulk.ID).Error
		})
	}
	var failed error
	for _, target := range waiting {
		err := s.actOn(ctx, actor, bulk, target)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err == nil {
			continue
		}
		why := "bulk.why_failed"
		if e, refused := errors.AsType[*hosting.Error](err); refused {
			why = e.Message.Key
		} else {
			failed = errors.Join(failed, err)
		}
		if err := s.housekeep(ctx, "bulk", func(db *gorm.DB, _ time.Time) error { return settleBulk(db, target, hosting.BulkRefused, why) }); err != nil {
			return false, err
		}
	}
	return true, failed
}

// actOn does the act to one account, or notes why not.
func (s *Store) actOn(ctx context.Context, actor hosting.Actor, bulk hosting.Bulk, target bulkAccount) error {
	return s.write(ctx, actor, "account."+string(bulk.Act), func(t *tx) error {
		state, err := one[hosting.BulkState](t.DB, "SELECT state FROM bulk_accounts WHERE bulk_id = ? AND account_id = ? FOR UPDATE", bulk.ID, target.AccountID)
		if err != nil {
			return err
		}
		if t.same = state != hosting.BulkWaiting; t.same {
			return nil // somebody else was quicker, or stopped it
		}
		account, err := t.lockAccount(target.AccountID, bulk.Act.Needs())
		if hosting.KindOf(err) == hosting.NotFound {
			t.same = true
			return settleBulk(t.DB, target, hosting.BulkRefused, "bulk.why_gone")
		}
		if err != nil {
			return err
		}
		plan, err := bulkPlan(t.DB, bulk)
		if err != nil {
			return err
		}
		if why := bulk.Act.Refuses(account, target.Expires, plan); why != "" {
			t.same = true
			return settleBulk(t.DB, target, hosting.BulkRefused, why)
		}
		switch bulk.Act {
		case hosting.BulkSuspend, hosting.BulkResume:
			err = t.setSuspended(account, bulk.Act == hosting.BulkSuspend)
		case hosting.BulkRenew:
			_, err = t.renew(account)
		case hosting.BulkPlan:
			err = t.changePlan(account, plan)
		case hosting.BulkAnnounce:
			err = t.announce(account, bulk.AnnouncementID)
		}
		if err != nil {
			return err
		}
		return settleBulk(t.DB, target, hosting.BulkDone, "")
	})
}

func settleBulk(db *gorm.DB, target bulkAccount, state hosting.BulkState, why string) error {
	return db.Exec("UPDATE bulk_accounts SET state = ?, reason = ? WHERE bulk_id = ? AND account_id = ? AND state = 'waiting'", state, why, target.BulkID, target.AccountID).Error
}

func (t *tx) changePlan(before hosting.Account, plan hosting.PlanID) error {
	after := before
	after.PlanID = plan
	t.noteAs("account.update", before.ID, string(before.Name), before, after)
	return t.Exec("UPDATE accounts SET plan_id = ? WHERE id = ?", plan, before.ID).Error
}

// sweepBulks forgets drafts that nobody confirmed, and old reports.
func sweepBulks(db *gorm.DB, now time.Time) error {
	return db.Exec("DELETE FROM bulk_acts WHERE state = 'draft' AND created_at < ? OR state = 'ended' AND created_at < ?", now.Add(-bulkDraftLife), now.Add(-bulkKept)).Error
}
