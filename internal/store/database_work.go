package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// keptWorks is how many works of a database are remembered.
const keptWorks = 20

// DatabaseWorks are the last works on a database, the newest first.
func (s *Store) DatabaseWorks(ctx context.Context, scope hosting.Scope, database hosting.DatabaseID) ([]hosting.DatabaseWork, error) {
	c := scoped(scope, "account_id").and("database_id = ?", database)
	return list[hosting.DatabaseWork](s.db.WithContext(ctx), "SELECT * FROM database_works"+c.where()+" ORDER BY id DESC LIMIT ?", c.with(keptWorks)...)
}

// DatabaseWork is one of them.
func (s *Store) DatabaseWork(ctx context.Context, scope hosting.Scope, id hosting.DatabaseWorkID) (hosting.DatabaseWork, error) {
	c := scoped(scope, "account_id").and("id = ?", id)
	row, err := one[hosting.DatabaseWork](s.db.WithContext(ctx), "SELECT * FROM database_works"+c.where(), c.args...)
	return row, orNotFound(err, "dbwork")
}

// DatabaseWorkSpec is a work as it is asked for.
type DatabaseWorkSpec struct {
	Kind       hosting.DatabaseWorkKind
	EmptyFirst bool
	File       string
	Size       int64
}

// unsent is how long the file of an import may keep still before another may
// be begun.
const unsent = 5 * time.Minute

// BeginDatabaseWork notes that something is to be done to a database's content.
// Nothing is done before the agent is asked to. One thing at a time changes a
// database.
func (s *Store) BeginDatabaseWork(ctx context.Context, actor hosting.Actor, database hosting.DatabaseID, spec DatabaseWorkSpec) (hosting.DatabaseWork, error) {
	need := hosting.DatabasesWrite
	if spec.Kind == hosting.DatabaseWorkExport {
		need = hosting.DatabasesContent
	}
	var work hosting.DatabaseWork
	err := s.write(ctx, actor, "database."+string(spec.Kind), func(t *tx) error {
		d, _, err := t.lockDatabase(database, need)
		if err != nil {
			return err
		}
		if spec.Kind != hosting.DatabaseWorkExport {
			busy, err := one[int](t.DB, "SELECT COUNT(*) FROM database_works WHERE database_id = ? AND kind <> 'export' AND (state IN ('waiting', 'running') OR state = 'sending' AND seen_at > ?)", database, t.now.Add(-unsent))
			if err != nil {
				return err
			}
			if busy > 0 {
				return hosting.Refuse(hosting.Conflict, "", "dbwork.busy")
			}
		}
		work = hosting.DatabaseWork{
			NodeID: d.NodeID, AccountID: d.AccountID, DatabaseID: database, Kind: spec.Kind, State: hosting.DatabaseWorkWaiting,
			EmptyFirst: spec.EmptyFirst, File: spec.File, Size: spec.Size, Actor: actor.Name, CreatedAt: t.now, SeenAt: t.now,
		}
		if spec.Kind == hosting.DatabaseWorkImport {
			work.State = hosting.DatabaseWorkSending
		}
		if err := t.Table("database_works").Create(&work).Error; err != nil {
			return err
		}
		t.note(d.AccountID, string(d.Name), nil, spec)
		oldest, err := list[hosting.DatabaseWorkID](t.DB, "SELECT id FROM database_works WHERE database_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?", database, keptWorks)
		if err != nil || len(oldest) == 0 {
			return err
		}
		return t.Exec("DELETE FROM database_works WHERE database_id = ? AND id <= ? AND state IN ('done', 'failed')", database, oldest[0]).Error
	})
	return work, err
}

// Work reads a work of the node.
func (n *NodeStore) Work(ctx context.Context, id hosting.DatabaseWorkID) (hosting.DatabaseWork, error) {
	row, err := one[hosting.DatabaseWork](n.db.WithContext(ctx), "SELECT * FROM database_works WHERE id = ? AND node_id = ?", id, n.node.ID)
	return row, orNotFound(err, "dbwork")
}

// TakeWork moves a work from one state to another; false when it was in none
// such, or is somebody else's by now.
func (n *NodeStore) TakeWork(ctx context.Context, id hosting.DatabaseWorkID, from, to hosting.DatabaseWorkState) (taken bool, err error) {
	err = transact(ctx, n.db, func(db *gorm.DB) error {
		moved := db.Exec("UPDATE database_works SET state = ?, seen_at = ? WHERE id = ? AND node_id = ? AND state = ?", to, now(), id, n.node.ID, from)
		taken = moved.RowsAffected == 1
		return moved.Error
	})
	if err != nil {
		return false, wrap("take work", err)
	}
	return taken, nil
}

// Progress notes how far a work is.
func (n *NodeStore) Progress(ctx context.Context, id hosting.DatabaseWorkID, done, size int64) error {
	return n.diskWrite(ctx, "UPDATE database_works SET done = ?, size = ?, seen_at = ? WHERE id = ? AND ended_at IS NULL", done, size, now(), id)
}

// EndWork notes how a work ended.
func (n *NodeStore) EndWork(ctx context.Context, id hosting.DatabaseWorkID, state hosting.DatabaseWorkState, result hosting.Message, report []hosting.TableReport) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("store: end work: %w", err)
	}
	tables := []byte{}
	if report != nil {
		if tables, err = json.Marshal(report); err != nil {
			return fmt.Errorf("store: end work: %w", err)
		}
	}
	return n.diskWrite(ctx, "UPDATE database_works SET state = ?, result = ?, report = ?, seen_at = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL", state, string(text), string(tables), now(), now(), id)
}

// LoseWorks ends what an agent left that was stopped: the programs ended with
// it.
func (n *NodeStore) LoseWorks(ctx context.Context) error {
	text, err := json.Marshal(hosting.Msg("dbwork.lost"))
	if err != nil {
		return fmt.Errorf("store: lose works: %w", err)
	}
	return n.diskWrite(ctx, "UPDATE database_works SET state = 'failed', result = ?, ended_at = ? WHERE node_id = ? AND state IN ('sending', 'waiting', 'running')", string(text), now(), n.node.ID)
}

// LoseUnsent ends imports whose file never came.
func (n *NodeStore) LoseUnsent(ctx context.Context) error {
	text, err := json.Marshal(hosting.Msg("dbwork.unsent"))
	if err != nil {
		return fmt.Errorf("store: lose works: %w", err)
	}
	return n.diskWrite(ctx, "UPDATE database_works SET state = 'failed', result = ?, ended_at = ? WHERE node_id = ? AND state = 'sending' AND seen_at < ?", string(text), now(), n.node.ID, now().Add(-unsent))
}

// AddPass makes a pass for a work of ours.
func (n *NodeStore) AddPass(ctx context.Context, d hosting.Database, hash string, life time.Duration) (hosting.DatabasePassID, error) {
	at := now()
	pass := hosting.DatabasePass{
		NodeID: n.node.ID, AccountID: d.AccountID, DatabaseID: d.ID, PasswordHash: hash, CreatedAt: at, ExpiresAt: at.Add(life),
	}
	err := transact(ctx, n.db, func(db *gorm.DB) error { return db.Table("database_passes").Create(&pass).Error })
	if err != nil {
		return 0, wrap("add pass", err)
	}
	return pass.ID, nil
}

// DropPass forgets a pass.
func (n *NodeStore) DropPass(ctx context.Context, id hosting.DatabasePassID) error {
	return n.diskWrite(ctx, "DELETE FROM database_passes WHERE id = ? AND node_id = ?", id, n.node.ID)
}

// Pass reads a pass of the node.
func (n *NodeStore) Pass(ctx context.Context, id hosting.DatabasePassID) (hosting.DatabasePass, error) {
	row, err := one[hosting.DatabasePass](n.db.WithContext(ctx), "SELECT * FROM database_passes WHERE id = ? AND node_id = ?", id, n.node.ID)
	return row, orNotFound(err, "dbwork")
}

// OldPasses are those whose time is over; for an agent that begins, also those
// of works, which ended with the agent before it.
func (n *NodeStore) OldPasses(ctx context.Context, all bool) ([]hosting.DatabasePass, error) {
	return list[hosting.DatabasePass](n.db.WithContext(ctx),
		"SELECT * FROM database_passes WHERE node_id = ? AND (expires_at <= ? OR (? AND session_id = 0)) ORDER BY id", n.node.ID, now(), all)
}
