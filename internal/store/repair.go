package store

import (
	"context"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// agentActor is how the audit log calls the agent.
const agentActor = "agent"

// Repaired adds an audit row that says what the agent found changed behind our
// back and made right again: name is the site's or the database's, parts are
// what of it.
func (n *NodeStore) Repaired(ctx context.Context, resource hosting.Resource, account hosting.AccountID, name string, parts []string) error {
	err := transact(ctx, n.db, func(db *gorm.DB) error {
		return db.Exec("INSERT INTO audit_entries (at, actor, source, action, account_id, target, `before`, `after`) VALUES (?, ?, '', ?, ?, ?, '', ?)",
			now(), agentActor, string(resource)+".repair", account, name, auditJSON(map[string]any{"repaired": parts})).Error
	})
	if err != nil {
		return wrap("repaired", err)
	}
	return nil
}
