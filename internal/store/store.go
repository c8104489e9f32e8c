package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/secret"

	mysqldriver "github.com/go-sql-driver/mysql"
	"golang.org/x/sys/unix"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"
)

// Config says how MariaDB is reached and who listens.
type Config struct {
	Socket      string // of MariaDB; may be longer than a socket's path can be
	User        string
	Password    string
	Database    string
	PanelHost   hosting.Hostname // refused to sites; may be empty
	Seal        []byte           // what secrets are sealed with; at least 16 bytes
	AgentSocket string           // datagram socket that is woken after a commit; may be empty
}

// Store is the application's door to the database.
type Store struct {
	cfg Config
	db  *gorm.DB

	ftpPasswords *secret.Recent // those that were right a moment ago
}

const (
	maxConnections  = 16
	idleConnections = 4
	idleTime        = 5 * time.Minute
	lockWait        = 5 // seconds before a lock is given up and the transaction tried again
)

// never is when nothing is due.
var never = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Open opens the database as the application's user and makes sure that it
// answers.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	db, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Store{cfg: cfg, db: db, ftpPasswords: secret.NewRecent()}, nil
}

// Close ends all connections.
func (s *Store) Close() error { return closeDB(s.db) }

// Ping asks whether MariaDB answers.
func (s *Store) Ping(ctx context.Context) error {
	db, err := s.db.DB()
	if err != nil {
		return fmt.Errorf("store: ping: %w", err)
	}
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("store: ping: %w", err)
	}
	return nil
}

func closeDB(db *gorm.DB) error {
	conns, err := db.DB()
	if err == nil {
		err = conns.Close()
	}
	if err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// connect makes the pool of connections, without using any. limit is how long
// one answer may take; zero for ever, as a change of the schema needs it.
func connect(cfg Config, limit time.Duration) (*sql.DB, error) {
	dsn := mysqldriver.NewConfig()
	dsn.User, dsn.Passwd, dsn.DBName = cfg.User, cfg.Password, cfg.Database
	dsn.Net, dsn.Addr, dsn.DialFunc = "unix", cfg.Socket, dialUnix
	dsn.Timeout, dsn.ReadTimeout, dsn.WriteTimeout = patience, limit, limit
	dsn.ParseTime, dsn.Loc = true, time.UTC
	dsn.ClientFoundRows = true   // an UPDATE that finds its row but changes nothing has found it
	dsn.InterpolateParams = true // one round trip less; quoting is exact for utf8mb4
	dsn.Collation = "utf8mb4_unicode_ci"
	dsn.Params = map[string]string{
		"time_zone": "'+00:00'",
		"sql_mode":  "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		// Each statement sees what is committed, so that a count made after
		// waiting for a lock is a count of now; and no gaps are locked.
		"tx_isolation":             "'READ-COMMITTED'",
		"innodb_lock_wait_timeout": strconv.Itoa(lockWait),
	}
	connector, err := mysqldriver.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(idleConnections)
	db.SetConnMaxIdleTime(idleTime)
	return db, nil
}

func open(ctx context.Context, cfg Config) (*gorm.DB, error) {
	conns, err := connect(cfg, patience)
	if err != nil {
		return nil, err
	}
	if err := conns.PingContext(ctx); err != nil {
		_ = conns.Close()
		return nil, fmt.Errorf("store: %s as %s: %w", cfg.Socket, cfg.User, err)
	}
	db, err := gorm.Open(mysql.New(mysql.Config{Conn: conns}), &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true, // write opens them
		NowFunc:                now,
		Logger:                 newQueryLog(),
	})
	if err != nil {
		_ = conns.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	return db, nil
}

// now is the time as a DATETIME(6) keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// dialUnix connects to a stream socket, through its directory's descriptor
// when the path is longer than an address can hold (unix(7)).
func dialUnix(ctx context.Context, _, path string) (net.Conn, error) {
	short, done, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer done()
	return new(net.Dialer).DialContext(ctx, "unix", short)
}

func shortPath(path string) (short string, done func(), err error) {
	if config.SocketPathOK(path) == nil {
		return path, func() {}, nil
	}
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", nil, fmt.Errorf("store: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }, nil
}

// wake tells the agent of this machine that something is due. Nobody listening
// is no error: agents also look by themselves.
func (s *Store) wake(ctx context.Context) {
	if s.cfg.AgentSocket == "" {
		return
	}
	short, done, err := shortPath(s.cfg.AgentSocket)
	if err != nil {
		return
	}
	defer done()
	conn, err := new(net.Dialer).DialContext(context.WithoutCancel(ctx), "unixgram", short)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Millisecond)) // a full queue is a wake-up, too
	_, _ = conn.Write([]byte{1})
}

// list reads rows. No rows are an empty list.
func list[T any](db *gorm.DB, query string, args ...any) ([]T, error) {
	found := []T{}
	// Not DB.Scan: that one logs the query with its arguments.
	rows, err := db.Raw(query, args...).Rows()
	if err != nil {
		return nil, asRefusal(fmt.Errorf("store: %w", err))
	}
	defer rows.Close()
	if rows.Next() {
		err = db.ScanRows(rows, &found) // reads this row and all that follow
	}
	if err := errors.Join(err, rows.Err()); err != nil {
		return nil, asRefusal(fmt.Errorf("store: %w", err))
	}
	return found, nil
}

// errNoRow is what one says when there is none.
var errNoRow = errors.New("store: no such row")

// one reads the first row, or answers errNoRow.
func one[T any](db *gorm.DB, query string, args ...any) (T, error) {
	rows, err := list[T](db, query, args...)
	if err == nil && len(rows) == 0 {
		err = errNoRow
	}
	if err != nil {
		var none T
		return none, err
	}
	return rows[0], nil
}

// orNotFound turns errNoRow into a refusal: "site" becomes site.not_found.
func orNotFound(err error, thing string) error {
	if errors.Is(err, errNoRow) {
		return hosting.Refuse(hosting.NotFound, "", thing+".not_found")
	}
	return err
}
