package store

import (
	"context"
	"strconv"
	"time"

	"cancale/internal/hosting"
)

// How much one person may write to the team, in an hour.
const (
	requestsPerHour = 30
	requestSpan     = time.Hour
)

// RequestFilter narrows a list of requests. Zero values do not narrow.
type RequestFilter struct {
	Account       hosting.AccountID
	State         hosting.RequestState
	Search        string // in the subject and the name of the association
	Page, PerPage int
}

// RequestRow is a request, with whose it is.
type RequestRow struct {
	hosting.Request
	AccountName  hosting.AccountName
	AccountLabel string
	Messages     []hosting.RequestMessage `gorm:"-"`
}

const fromRequests = " FROM requests r JOIN accounts a ON a.id = r.account_id AND a.kept_until IS NULL"

// Requests lists the requests in scope, the one that changed last first: one
// page of them, without their messages, and how many there are in all.
func (s *Store) Requests(ctx context.Context, scope hosting.Scope, f RequestFilter) ([]RequestRow, int, error) {
	c := scoped(scope, "r.account_id")
	if f.Account != 0 {
		c.and("r.account_id = ?", f.Account)
	}
	if f.State != "" {
		c.and("r.state = ?", f.State)
	}
	if f.Search != "" {
		c.and("r.subject LIKE ? OR a.label LIKE ?", like(f.Search), like(f.Search))
	}
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*)"+fromRequests+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	rows, err := list[RequestRow](db, "SELECT r.*, a.name AS account_name, a.label AS account_label"+fromRequests+c.where()+
		" ORDER BY r.changed_at DESC, r.id DESC LIMIT ? OFFSET ?", c.with(limit, offset)...)
	return rows, total, err
}

// Request reads one request with its messages, the first one first.
func (s *Store) Request(ctx context.Context, scope hosting.Scope, id hosting.RequestID) (RequestRow, error) {
	db := s.db.WithContext(ctx)
	c := scoped(scope, "r.account_id").and("r.id = ?", id)
	row, err := one[RequestRow](db, "SELECT r.*, a.name AS account_name, a.label AS account_label"+fromRequests+c.where(), c.args...)
	if err != nil {
		return row, orNotFound(err, "request")
	}
	row.Messages, err = list[hosting.RequestMessage](db, "SELECT * FROM request_messages WHERE request_id = ? ORDER BY id", id)
	return row, err
}

// CreateRequest asks the team something for an account.
func (s *Store) CreateRequest(ctx context.Context, actor hosting.Actor, account hosting.AccountID, spec hosting.RequestSpec) (hosting.Request, error) {
	var request hosting.Request
	err := s.write(ctx, actor, "request.create", func(t *tx) error {
		if _, err := t.lockAccount(account, hosting.RequestsWrite); err != nil {
			return err
		}
		if err := t.slowDown(); err != nil {
			return err
		}
		request = hosting.Request{AccountID: account, Subject: spec.Subject, About: spec.About, State: hosting.RequestOpen, CreatedAt: t.now, ChangedAt: t.now}
		if err := t.Create(&request).Error; err != nil {
			return err
		}
		t.note(account, spec.Subject, nil, map[string]string{"About": spec.About})
		return t.say(request, spec.Body, false)
	})
	return request, err
}

// slowDown refuses an actor who writes too much.
func (t *tx) slowDown() error {
	many, err := tooMany(t.DB, t.now, subject("request", t.actor.Name), requestsPerHour, requestSpan)
	if err == nil && many {
		return hosting.Refuse(hosting.OverLimit, "", "request.too_many")
	}
	return err
}

// say adds a message and tells the other side.
func (t *tx) say(request hosting.Request, body string, team bool) error {
	author, err := t.authorName()
	if err != nil {
		return err
	}
	message := hosting.RequestMessage{RequestID: request.ID, PersonID: t.actor.Person, Author: author, Team: team, Body: body, CreatedAt: t.now}
	if err := t.Create(&message).Error; err != nil {
		return err
	}
	label, err := t.accountLabel(request.AccountID)
	if err != nil {
		return err
	}
	mail := hosting.Mail{AccountID: request.AccountID, Args: map[string]string{"account": label, "author": author, "subject": request.Subject, "text": body}}
	id := strconv.FormatUint(uint64(request.ID), 10)
	if team {
		mail.Kind, mail.Link = hosting.MailAnswer, "/requests/"+id
		return t.mailMembers(request.AccountID, "AND (m.role = 'owner' OR p.id IN (SELECT q.person_id FROM request_messages q WHERE q.request_id = "+id+"))", mail)
	}
	mail.Kind, mail.Link = hosting.MailRequest, "/admin/requests/"+id
	return t.mailTeam(mail)
}

// lockRequest is the request, for an actor who may write to it; team asks for
// somebody of the team.
func (t *tx) lockRequest(id hosting.RequestID, team bool) (hosting.Request, error) {
	request, err := one[hosting.Request](t.DB, "SELECT * FROM requests WHERE id = ? FOR UPDATE", id)
	if err != nil {
		return request, orNotFound(err, "request")
	}
	if team {
		return request, t.allowPlatform(hosting.AdminRequests)
	}
	return request, t.allow(request.AccountID, "request", hosting.RequestsWrite)
}

// AnswerRequest adds a message to a request: of the team, or of a member. A
// closed one is open again.
func (s *Store) AnswerRequest(ctx context.Context, actor hosting.Actor, id hosting.RequestID, body string, team bool) error {
	return s.write(ctx, actor, "request.answer", func(t *tx) error {
		request, err := t.lockRequest(id, team)
		if err != nil {
			return err
		}
		if err := t.slowDown(); err != nil {
			return err
		}
		state := hosting.RequestOpen
		if team {
			state = hosting.RequestAnswered
		}
		t.note(request.AccountID, request.Subject, nil, nil)
		if err := t.Exec("UPDATE requests SET state = ?, changed_at = ? WHERE id = ?", state, t.now, id).Error; err != nil {
			return err
		}
		return t.say(request, body, team)
	})
}

// CloseRequest says that nothing more is to be done.
func (s *Store) CloseRequest(ctx context.Context, actor hosting.Actor, id hosting.RequestID, team bool) error {
	return s.write(ctx, actor, "request.close", func(t *tx) error {
		request, err := t.lockRequest(id, team)
		if err != nil {
			return err
		}
		if request.State == hosting.RequestClosed {
			t.same = true
			return nil
		}
		t.note(request.AccountID, request.Subject, nil, nil)
		return t.Exec("UPDATE requests SET state = 'closed', changed_at = ? WHERE id = ?", t.now, id).Error
	})
}
