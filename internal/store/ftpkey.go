package store

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

const fromFTPKeys = " FROM ftp_keys k JOIN ftp_logins f ON f.id = k.ftp_login_id AND f.removing = 0"

// FTPKeys lists the public keys of an FTP login, the newest first.
func (s *Store) FTPKeys(ctx context.Context, scope hosting.Scope, login hosting.FTPLoginID) ([]hosting.FTPKey, error) {
	c := scoped(scope, "f.account_id").and("k.ftp_login_id = ?", login)
	return list[hosting.FTPKey](s.db.WithContext(ctx), "SELECT k.*"+fromFTPKeys+c.where()+" ORDER BY k.id DESC", c.args...)
}

// AddFTPKey lets a public key open an FTP login from now on. Without a label
// it bears the key's own comment.
func (s *Store) AddFTPKey(ctx context.Context, actor hosting.Actor, login hosting.FTPLoginID, key hosting.PublicKey, label string) (hosting.FTPKey, error) {
	var row hosting.FTPKey
	err := s.write(ctx, actor, "ftp.key_add", func(t *tx) error {
		owner, err := t.lockFTPLogin(login)
		if err != nil {
			return err
		}
		row = hosting.FTPKey{
			FTPLoginID: login, Label: cmp.Or(label, key.Comment), Kind: key.Kind, Fingerprint: key.Fingerprint, PublicKey: key.Line, CreatedAt: t.now,
		}
		if _, err := one[int](t.DB, "SELECT 1 FROM ftp_keys WHERE ftp_login_id = ? AND fingerprint = ?", login, key.Fingerprint); !errors.Is(err, errNoRow) {
			return cmp.Or(err, error(hosting.Refuse(hosting.Conflict, "key", "ftpkey.there")))
		}
		n, err := one[int](t.DB, "SELECT COUNT(*) FROM ftp_keys WHERE ftp_login_id = ?", login)
		if err != nil {
			return err
		}
		if n >= hosting.MaxFTPKeys {
			return hosting.Refuse(hosting.OverLimit, "key", "ftpkey.too_many", strconv.Itoa(hosting.MaxFTPKeys))
		}
		t.note(owner.AccountID, string(owner.Login), nil, row)
		return t.Table("ftp_keys").Create(&row).Error
	})
	if err != nil {
		return hosting.FTPKey{}, err
	}
	return row, nil
}

// RemoveFTPKey takes a key from a login, at once: sessions of the login end,
// since nobody knows which of them it opened.
func (s *Store) RemoveFTPKey(ctx context.Context, actor hosting.Actor, login hosting.FTPLoginID, key hosting.FTPKeyID) error {
	return s.write(ctx, actor, "ftp.key_remove", func(t *tx) error {
		owner, err := t.lockFTPLogin(login)
		if err != nil {
			return err
		}
		row, err := one[hosting.FTPKey](t.DB, "SELECT * FROM ftp_keys WHERE id = ? AND ftp_login_id = ?", key, login)
		if err != nil {
			return orNotFound(err, "ftpkey")
		}
		t.note(owner.AccountID, string(owner.Login), row, nil)
		if err := t.Exec("DELETE FROM ftp_keys WHERE id = ?", key).Error; err != nil {
			return err
		}
		return t.Exec("UPDATE ftp_logins SET generation = generation + 1, observed = generation, changed_at = ? WHERE id = ?", t.now, login).Error
	})
}

// OffersFTPKey tells whether a key would open a login, before its holder has
// proved to have it. A source that is shut out is refused here too.
func (s *Store) OffersFTPKey(ctx context.Context, login, fingerprint, source string) (bool, error) {
	if err := s.sourceMayTry(ctx, source); err != nil {
		return false, err
	}
	_, err := one[int](s.db.WithContext(ctx), "SELECT 1"+fromFTPKeys+" WHERE f.login = ? AND k.fingerprint = ?", ftpName(login), fingerprint)
	if errors.Is(err, errNoRow) {
		return false, nil
	}
	return err == nil, err
}

// AuthenticateFTPKey is AuthenticateFTP for somebody who has proved to hold a
// key. What cannot be guessed is not counted; a name that others try passwords
// on stays open to its keys, a source that is shut out does not.
func (s *Store) AuthenticateFTPKey(ctx context.Context, login, fingerprint, source string) (FTPSession, error) {
	if err := s.sourceMayTry(ctx, source); err != nil {
		return FTPSession{}, err
	}
	found, err := s.ftpSignIn(ctx, login)
	if err != nil && !errors.Is(err, errNoRow) {
		return FTPSession{}, err
	}
	key, err := one[hosting.FTPKeyID](s.db.WithContext(ctx), "SELECT id FROM ftp_keys WHERE ftp_login_id = ? AND fingerprint = ?", found.ID, fingerprint)
	if err != nil && !errors.Is(err, errNoRow) {
		return FTPSession{}, err
	}
	if err != nil || found.Disabled || found.AccountRemoving {
		return FTPSession{}, refusedSignIn(ctx, "sftp", source)
	}
	err = s.housekeep(ctx, "sftp login", func(db *gorm.DB, now time.Time) error {
		if err := db.Exec("UPDATE ftp_keys SET last_used_at = ? WHERE id = ?", now, key).Error; err != nil {
			return err
		}
		return db.Exec("UPDATE ftp_logins SET last_used_at = ? WHERE id = ?", now, found.ID).Error
	})
	if err != nil {
		return FTPSession{}, err
	}
	return s.ftpSession(ctx, found, source)
}

// ftpName is a login as it was typed, in the form that the table has.
func ftpName(typed string) string {
	return strings.ToLower(strings.TrimSpace(strings.ToValidUTF8(typed, "\uFFFD")))
}
