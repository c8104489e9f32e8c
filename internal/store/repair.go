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
	return n.note(ctx, string(resource)+".repair", account, name, map[string]any{"repaired": parts})
}

// note adds an audit row of the agent's.
func (n *NodeStore) note(ctx context.Context, action string, account hosting.AccountID, target string, after any) error {
	err := transact(ctx, n.db, func(db *gorm.DB) error {
		return db.Exec("INSERT INTO audit_entries (at, actor, source, action, account_id, target, `before`, `after`) VALUES (?, ?, '', ?, ?, ?, '', ?)",
			now(), agentActor, action, account, target, auditJSON(after)).Error
	})
	if err != nil {
		return wrap(action, err)
	}
	return nil
}
