package store

import (
	"context"
	"slices"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// effectBatch is how many accounts are counted at once.
const effectBatch = 1000

// PlanEffects says which accounts would be over which limits if a plan became
// what spec says, by their labels. Only limits that are lowered count.
func (s *Store) PlanEffects(ctx context.Context, scope hosting.Scope, name hosting.PlanName, spec hosting.PlanSpec) ([]hosting.PlanEffect, error) {
	row, err := s.Plan(ctx, scope, name)
	if err != nil {
		return nil, err
	}
	c := scoped(scope, "a.id").and("a.plan_id = ? AND a.kept_until IS NULL", row.ID)
	return effects(s.db.WithContext(ctx), PlanOf(spec), " FROM accounts a"+c.where(), c.args)
}

// AccountPlanEffect says which limits an account would be over with another
// plan.
func (s *Store) AccountPlanEffect(ctx context.Context, scope hosting.Scope, account hosting.AccountID, name hosting.PlanName) ([]hosting.Excess, error) {
	db := s.db.WithContext(ctx)
	plan, err := one[hosting.Plan](db, "SELECT * FROM plans WHERE name = ?", name)
	if err != nil {
		return nil, orNotFound(err, "plan")
	}
	c := scoped(scope, "a.id").and("a.id = ? AND a.kept_until IS NULL", account)
	found, err := effects(db, plan, " FROM accounts a"+c.where(), c.args)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].Excesses, nil
}

// effects are the accounts a of from that would be over limits of a plan which
// are lower than those they have.
func effects(db *gorm.DB, after hosting.Plan, from string, args []any) ([]hosting.PlanEffect, error) {
	accounts, err := list[hosting.Account](db, "SELECT a.id, a.name, a.label, a.plan_id"+from+" ORDER BY a.label, a.id", args...)
	if err != nil {
		return nil, err
	}
	all, err := list[hosting.Plan](db, "SELECT * FROM plans")
	if err != nil {
		return nil, err
	}
	plans := map[hosting.PlanID]hosting.Plan{}
	for _, p := range all {
		plans[p.ID] = p
	}
	found := []hosting.PlanEffect{}
	for batch := range slices.Chunk(accounts, effectBatch) {
		has, err := holdings(db, batch)
		if err != nil {
			return nil, err
		}
		for _, a := range batch {
			if over := after.Exceeds(plans[a.PlanID], has[a.ID]); len(over) > 0 {
				found = append(found, hosting.PlanEffect{Account: a, Excesses: over})
			}
		}
	}
	return found, nil
}

// holdings count what accounts have.
func holdings(db *gorm.DB, accounts []hosting.Account) (map[hosting.AccountID]hosting.Holdings, error) {
	ids := make([]hosting.AccountID, len(accounts))
	for i, a := range accounts {
		ids[i] = a.ID
	}
	counts, err := countThings(db, ids)
	if err != nil {
		return nil, err
	}
	room, err := spaces(db, " WHERE a.id IN ?", ids)
	if err != nil {
		return nil, err
	}
	largest, err := list[struct {
		AccountID hosting.AccountID
		Bytes     int64
	}](db, "SELECT d.account_id, MAX(u.bytes) AS bytes FROM database_usage u JOIN hosted_databases d ON d.id = u.database_id WHERE d.account_id IN ? AND d.removing = 0 GROUP BY d.account_id", ids)
	if err != nil {
		return nil, err
	}
	has := make(map[hosting.AccountID]hosting.Holdings, len(ids))
	for id, space := range room {
		has[id] = hosting.Holdings{Usage: counts[id].Usage, Disk: space.Used}
	}
	for _, l := range largest {
		h := has[l.AccountID]
		h.Database = l.Bytes
		has[l.AccountID] = h
	}
	return has, nil
}
