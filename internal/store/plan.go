package store

import (
	"cmp"
	"context"
	"errors"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// PlanRow is a plan and how many accounts have it.
type PlanRow struct {
	hosting.Plan
	Accounts int
}

const selectPlans = "SELECT p.*, (SELECT COUNT(*) FROM accounts a WHERE a.plan_id = p.id) AS accounts FROM plans p"

// Plans lists the plans by their labels: all of them, or those of the accounts
// in scope.
func (s *Store) Plans(ctx context.Context, scope hosting.Scope) ([]PlanRow, error) {
	c := planScope(scope)
	return list[PlanRow](s.db.WithContext(ctx), selectPlans+c.where()+" ORDER BY p.label, p.id", c.args...)
}

// Plan reads one plan.
func (s *Store) Plan(ctx context.Context, scope hosting.Scope, name hosting.PlanName) (PlanRow, error) {
	c := planScope(scope).and("p.name = ?", name)
	row, err := one[PlanRow](s.db.WithContext(ctx), selectPlans+c.where(), c.args...)
	return row, orNotFound(err, "plan")
}

func planScope(scope hosting.Scope) *conditions {
	if scope.All() {
		return &conditions{}
	}
	in := scoped(scope, "a.id")
	return (&conditions{}).and("p.id IN (SELECT a.plan_id FROM accounts a"+in.where()+")", in.args...)
}

// CreatePlan adds a plan.
func (s *Store) CreatePlan(ctx context.Context, actor hosting.Actor, spec hosting.PlanSpec) (hosting.Plan, error) {
	var plan hosting.Plan
	err := s.write(ctx, actor, "plan.create", func(t *tx) error {
		if err := errors.Join(t.allowPlatform(hosting.AdminPlans), spec.Check()); err != nil {
			return err
		}
		plan = PlanOf(spec)
		plan.CreatedAt = t.now
		if err := t.Table("plans").Create(&plan).Error; err != nil {
			return planTaken(err, spec.Name)
		}
		t.note(0, string(plan.Name), nil, plan)
		return nil
	})
	return plan, err
}

// UpdatePlan changes a plan, its name included. What accounts have beyond a
// lower limit stays; they only get no more.
func (s *Store) UpdatePlan(ctx context.Context, actor hosting.Actor, name hosting.PlanName, spec hosting.PlanSpec) (hosting.Plan, error) {
	var plan hosting.Plan
	err := s.write(ctx, actor, "plan.update", func(t *tx) error {
		if err := errors.Join(t.allowPlatform(hosting.AdminPlans), spec.Check()); err != nil {
			return err
		}
		before, err := lockPlan(t.DB, name)
		if err != nil {
			return err
		}
		plan = PlanOf(spec)
		plan.ID, plan.CreatedAt = before.ID, before.CreatedAt
		if t.same = plan == before; t.same {
			return nil
		}
		err = t.Exec("UPDATE plans SET name = ?, label = ?, sites = ?, `databases` = ?, ftp_logins = ?, disk_mb = ?, database_mb = ? WHERE id = ?",
			plan.Name, plan.Label, plan.Sites, plan.Databases, plan.FTPLogins, plan.DiskMB, plan.DatabaseMB, plan.ID).Error
		if err != nil {
			return planTaken(err, spec.Name)
		}
		t.note(0, string(plan.Name), before, plan)
		return nil
	})
	return plan, err
}

// DeletePlan removes a plan that no account has.
func (s *Store) DeletePlan(ctx context.Context, actor hosting.Actor, name hosting.PlanName) error {
	return s.write(ctx, actor, "plan.delete", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminPlans); err != nil {
			return err
		}
		plan, err := lockPlan(t.DB, name)
		if err != nil {
			return err
		}
		err = t.Exec("DELETE FROM plans WHERE id = ?", plan.ID).Error
		if errors.Is(err, gorm.ErrForeignKeyViolated) {
			return hosting.Refuse(hosting.Conflict, "", "plan.in_use", plan.Label)
		}
		if err != nil {
			return err
		}
		t.note(0, string(name), plan, nil)
		return nil
	})
}

// PlanOf is the plan that a spec describes, without its number.
func PlanOf(spec hosting.PlanSpec) hosting.Plan {
	return hosting.Plan{
		Name: spec.Name, Label: spec.Label,
		Sites: spec.Sites, Databases: spec.Databases, FTPLogins: spec.FTPLogins, DiskMB: spec.DiskMB,
		DatabaseMB: cmp.Or(spec.DatabaseMB, hosting.Unlimited),
	}
}

func lockPlan(db *gorm.DB, name hosting.PlanName) (hosting.Plan, error) {
	plan, err := one[hosting.Plan](db, "SELECT * FROM plans WHERE name = ? FOR UPDATE", name)
	return plan, orNotFound(err, "plan")
}

func planTaken(err error, name hosting.PlanName) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return hosting.Refuse(hosting.Conflict, "name", "plan.name_taken", string(name))
	}
	return err
}
