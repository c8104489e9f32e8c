package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cancale/internal/hosting"
)

// workRow is what the parts of the queue have in common.
type workRow struct {
	Kind         hosting.WorkKind
	ID           uint64
	AccountID    hosting.AccountID
	AccountName  hosting.AccountName
	AccountLabel string
	Name         string
	At           *time.Time
	Until        *time.Time
	N            int
	Problem      string
}

const (
	workAccount = "a.id AS account_id, a.name AS account_name, a.label AS account_label"
	lastRun     = " AND NOT EXISTS (SELECT 1 FROM task_runs l WHERE l.task_id = r.task_id AND l.id > r.id)"
)

// Work is what waits for somebody of the team: of each kind at most limit
// things, those first that waited longest, and how many there are of each, one
// more than limit standing for more. It is the whole platform's; who may see it
// is the page's affair.
func (s *Store) Work(ctx context.Context, limit int) ([]hosting.Work, error) {
	at := now()
	db := s.db.WithContext(ctx)
	var all []hosting.Work
	for _, part := range []struct {
		kind  hosting.WorkKind
		query string
		args  []any
	}{
		{hosting.WorkSite, "SELECT s.id, s.host AS name, s.problem, s.changed_at AS at, " + workAccount +
			" FROM sites s JOIN accounts a ON a.id = s.account_id WHERE s.state = 'failed' ORDER BY s.changed_at, s.id", nil},
		{hosting.WorkDatabase, "SELECT d.id, d.name, d.problem, d.changed_at AS at, " + workAccount +
			" FROM hosted_databases d JOIN accounts a ON a.id = d.account_id WHERE d.state = 'failed' ORDER BY d.changed_at, d.id", nil},
		{hosting.WorkRequest, "SELECT r.id, r.subject AS name, r.changed_at AS at, " + workAccount +
			" FROM requests r JOIN accounts a ON a.id = r.account_id WHERE r.state = 'open' AND a.removing = 0 ORDER BY r.changed_at, r.id", nil},
		{hosting.WorkMembership, "SELECT a.id, a.expires AS until, " + workAccount +
			" FROM accounts a WHERE a.expires < ? AND a.suspended = 0 AND a.removing = 0 ORDER BY a.expires, a.id", []any{at.Add(hosting.EndsSoon)}},
		{hosting.WorkFull, "SELECT a.id, n.level AS n, n.changed_at AS at, " + workAccount +
			" FROM notices n JOIN accounts a ON a.id = n.account_id WHERE n.what = 'disk' AND n.level BETWEEN 95 AND 100 AND a.removing = 0 ORDER BY n.level DESC, n.changed_at, a.id", nil},
		{hosting.WorkTask, "SELECT t.site_id AS id, s.host AS name, r.started_at AS at, " + workAccount +
			" FROM task_runs r JOIN tasks t ON t.id = r.task_id JOIN sites s ON s.id = t.site_id JOIN accounts a ON a.id = t.account_id" +
			" WHERE r.outcome IN ('failed', 'toolong', 'lost') AND t.enabled = 1 AND s.removing = 0" + lastRun + " ORDER BY r.id", nil},
		{hosting.WorkMail, "SELECT m.id, m.email AS name, m.problem, m.created_at AS at, COALESCE(a.id, 0) AS account_id, COALESCE(a.name, '') AS account_name, COALESCE(a.label, '') AS account_label" +
			" FROM mails m LEFT JOIN accounts a ON a.id = m.account_id WHERE m.state = 'failed' ORDER BY m.id", nil},
		{hosting.WorkBan, "SELECT 0 AS id, COUNT(*) AS n, MIN(last_at) AS at FROM throttles WHERE banned = 1 AND until > ? HAVING n > 0", []any{at}},
	} {
		rows, err := list[workRow](db, part.query+" LIMIT ?", append(part.args, limit+1)...)
		if err != nil {
			return nil, fmt.Errorf("store: work: %s: %w", part.kind, err)
		}
		for i, row := range rows {
			w := hosting.Work{
				Kind: part.kind, ID: row.ID, Name: row.Name, At: row.At, Until: row.Until, N: row.N,
				Account: hosting.Account{ID: row.AccountID, Name: row.AccountName, Label: row.AccountLabel}, More: i == limit,
			}
			if row.Problem != "" {
				if err := json.Unmarshal([]byte(row.Problem), &w.Problem); err != nil {
					return nil, fmt.Errorf("store: work: %s %d: %w", part.kind, row.ID, err)
				}
			}
			all = append(all, w)
		}
	}
	return all, nil
}

// OpenRequests is how many requests wait for the team.
func (s *Store) OpenRequests(ctx context.Context, scope hosting.Scope) (int, error) {
	c := scoped(scope, "account_id").and("state = 'open'").and("account_id NOT IN (SELECT id FROM accounts WHERE kept_until IS NOT NULL)")
	return one[int](s.db.WithContext(ctx), "SELECT COUNT(*) FROM requests"+c.where(), c.args...)
}

// Answers is how many requests of an account have an answer that nobody has
// closed.
func (s *Store) Answers(ctx context.Context, scope hosting.Scope, account hosting.AccountID) (int, error) {
	c := scoped(scope, "account_id").and("account_id = ?", account).and("state = 'answered'")
	return one[int](s.db.WithContext(ctx), "SELECT COUNT(*) FROM requests"+c.where(), c.args...)
}

// Overview counts what an account has by state.
func (s *Store) Overview(ctx context.Context, scope hosting.Scope, account hosting.AccountID) (hosting.Overview, error) {
	o := hosting.Overview{Sites: map[hosting.State]int{}, Databases: map[hosting.State]int{}}
	db := s.db.WithContext(ctx)
	for table, into := range map[string]map[hosting.State]int{"sites": o.Sites, "hosted_databases": o.Databases} {
		c := scoped(scope, "account_id").and("account_id = ?", account).and("state <> 'removed'")
		rows, err := list[struct {
			State hosting.State
			N     int
		}](db, "SELECT state, COUNT(*) AS n FROM "+table+c.where()+" GROUP BY state", c.args...)
		if err != nil {
			return o, err
		}
		for _, row := range rows {
			into[row.State] = row.N
		}
	}
	c := scoped(scope, "t.account_id").and("t.account_id = ?", account).and("t.enabled = 1")
	var err error
	o.Tasks, err = one[int](db, "SELECT COUNT(*) FROM task_runs r JOIN tasks t ON t.id = r.task_id JOIN sites s ON s.id = t.site_id AND s.removing = 0"+c.where()+" AND r.outcome IN ('failed', 'toolong', 'lost')"+lastRun, c.args...)
	return o, err
}
