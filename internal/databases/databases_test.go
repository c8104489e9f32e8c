package databases

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"cancale/internal/config"
	"cancale/internal/driver/mariadb"
	"cancale/internal/ftplink"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/secret"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

var root = hosting.System("cli:root")

// world is a store, a server, and a daemon's end that runs, with one database.
type world struct {
	t        *testing.T
	st       *store.Store
	node     *store.NodeStore
	driver   *mariadb.Driver
	layout   config.Layout
	socket   string
	client   Client
	account  hosting.Account
	db       hosting.Database
	password string
	server   *sql.DB
	limit    int64
	stop     func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	inst := testenv.Install(t)
	if err := os.Chmod(inst.Server.Dir, 0o711); err != nil {
		t.Fatal(err)
	}
	layout := config.Layout{Root: t.TempDir()}
	if err := os.MkdirAll(layout.Run(), 0o711); err != nil {
		t.Fatal(err)
	}
	driver, err := mariadb.New(host.New(layout, nil), mariadb.Config{Socket: inst.Server.Socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = driver.Close() })
	w := &world{t: t, st: inst.Open(t), node: inst.OpenNode(t), driver: driver, layout: layout, socket: inst.Server.Socket, limit: -1}
	w.server = w.signIn("root", "", "")
	if w.account, err = w.st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "club", Label: "Club", Plan: "asso"}); err != nil {
		t.Fatal(err)
	}
	if w.db, w.password, err = w.st.CreateDatabase(t.Context(), root, w.account.ID, "club_site"); err != nil {
		t.Fatal(err)
	}
	w.apply(w.db.ID)
	t.Cleanup(func() {
		db := w.db
		db.Sync.Removing = true
		_ = driver.Remove(context.Background(), db)
	})
	w.client = Client{Link: ftplink.NewClient(layout.DatabasesSocket()), Actor: root}
	w.stop = w.run()
	return w
}

// run starts a daemon's end; what it gives stops it.
func (w *world) run() (stop func()) {
	w.t.Helper()
	var applying sync.Mutex
	s := New(Config{
		Store: w.node, Layout: w.layout, Driver: w.driver, Socket: w.socket,
		Apply: func(ctx context.Context, id hosting.DatabaseID) error {
			applying.Lock()
			defer applying.Unlock()
			db, err := w.node.Database(ctx, id)
			if err != nil {
				return err
			}
			return w.driver.Ensure(ctx, db)
		},
		Measure: func(ctx context.Context, id hosting.DatabaseID) (hosting.DatabaseSize, error) {
			n, err := w.driver.Size(ctx, w.db.Name)
			size := hosting.DatabaseSize{ID: id, Bytes: n, Limit: w.limit}
			size.Stopped = size.Stops()
			return size, err
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	w.until("it answers", func() bool {
		err := w.client.Run(w.t.Context(), 1<<40)
		return hosting.KindOf(err) == hosting.NotFound
	})
	return stop
}

func (w *world) apply(id hosting.DatabaseID) {
	w.t.Helper()
	db, err := w.node.Database(w.t.Context(), id)
	if err == nil {
		err = w.driver.Ensure(w.t.Context(), db)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(40 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("not in time: %s", what)
		}
	}
}

func (w *world) signIn(user, password, schema string) *sql.DB {
	w.t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Addr = user, password, schema, "unix", w.socket
	connector, err := mysql.NewConnector(c)
	if err != nil {
		w.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	w.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (w *world) exec(statements ...string) {
	w.t.Helper()
	member := w.signIn("club_site", w.password, "club_site")
	for _, s := range statements {
		if _, err := member.ExecContext(w.t.Context(), s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (w *world) ask(query string) (text string) {
	w.t.Helper()
	if err := w.server.QueryRowContext(w.t.Context(), query).Scan(&text); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return text
}

func (w *world) begin(spec store.DatabaseWorkSpec) hosting.DatabaseWork {
	w.t.Helper()
	work, err := w.st.BeginDatabaseWork(w.t.Context(), root, w.db.ID, spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return work
}

// ended is a work when it is over.
func (w *world) ended(id hosting.DatabaseWorkID) hosting.DatabaseWork {
	w.t.Helper()
	var work hosting.DatabaseWork
	w.until("the work is over", func() bool {
		var err error
		if work, err = w.st.DatabaseWork(w.t.Context(), root.Scope(hosting.DatabasesRead), id); err != nil {
			w.t.Fatal(err)
		}
		return work.State.Over()
	})
	return work
}

// load imports a file, and gives how that ended.
func (w *world) load(file io.Reader, empty bool) hosting.DatabaseWork {
	w.t.Helper()
	work := w.begin(store.DatabaseWorkSpec{Kind: hosting.DatabaseWorkImport, File: "a.sql", EmptyFirst: empty})
	if err := w.client.Send(w.t.Context(), work.ID, file); err != nil {
		w.t.Logf("not sent: %v", err)
	}
	return w.ended(work.ID)
}

func (w *world) dump() string {
	w.t.Helper()
	res, err := w.client.Export(w.t.Context(), w.begin(store.DatabaseWorkSpec{Kind: hosting.DatabaseWorkExport}).ID)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	zip, err := gzip.NewReader(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func zipped(text string) io.Reader {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return &b
}

func TestWhatIsExportedCanBeImported(t *testing.T) {
	w := newWorld(t)
	w.exec("CREATE TABLE p (id INT PRIMARY KEY AUTO_INCREMENT, t TEXT, b BLOB)", "INSERT INTO p (t, b) VALUES ('Été à Cancale 🦪\nUSE other;\n', X'00ff0a1a')",
		"CREATE VIEW v AS SELECT t FROM p", "CREATE TRIGGER g BEFORE INSERT ON p FOR EACH ROW SET NEW.t = CONCAT(NEW.t, '!')", "CREATE PROCEDURE one() SELECT 1; ")
	text := w.dump()
	for _, want := range []string{"CREATE TABLE `p`", "Été à Cancale 🦪", "VIEW `v`", "TRIGGER", "PROCEDURE `one`"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the export", want)
		}
	}
	if strings.Contains(text, "DEFINER=") {
		t.Error("the export can only be imported where its user is known")
	}
	for name, file := range map[string]io.Reader{"plain": strings.NewReader(text), "compressed": zipped(text)} {
		w.exec("CREATE OR REPLACE TABLE old (a INT)")
		work := w.load(file, true)
		if work.State != hosting.DatabaseWorkDone || work.Result.Key != "dbwork.import_done" || work.Percent() != 100 {
			t.Fatalf("%s: %+v", name, work)
		}
		if got := w.ask("SELECT CONCAT(t, HEX(b)) FROM club_site.v JOIN club_site.p USING (t)"); got != "Été à Cancale 🦪\nUSE other;\n00FF0A1A" {
			t.Errorf("%s: %q", name, got)
		}
		if got := w.ask("SELECT GROUP_CONCAT(DISTINCT DEFINER) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'club_site'"); got != "club_site@localhost" {
			t.Errorf("%s: the view is %s's", name, got)
		}
		if got := w.ask("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'club_site' AND TABLE_NAME = 'old'"); got != "0" {
			t.Errorf("%s: the database was not emptied first", name)
		}
	}
	w.exec("INSERT INTO p (t) VALUES ('x')", "CALL one()") // trigger and routine work
	if again := w.dump(); strings.Count(again, "INSERT INTO") != strings.Count(text, "INSERT INTO") {
		t.Error("the second export is another")
	}
	// Nothing stays behind: no pass, no file.
	w.until("no pass is left", func() bool {
		db, err := w.node.Database(t.Context(), w.db.ID)
		return err == nil && len(db.Passes) == 0
	})
	left, err := filepath.Glob(w.layout.Dumps() + "/*.sql")
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// Whatever a file says, it does no more than its database's user may, and the
// person is told the line.
func TestAFileCannotLeaveItsDatabase(t *testing.T) {
	w := newWorld(t)
	if _, err := w.server.ExecContext(t.Context(), "CREATE DATABASE IF NOT EXISTS `victim_site`"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = w.server.Exec("DROP DATABASE victim_site") })
	if _, err := w.server.ExecContext(t.Context(), "CREATE OR REPLACE TABLE victim_site.secret (a TEXT) AS SELECT 'hidden' AS a"); err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(os.TempDir(), "cancale-import-mark")
	_ = os.Remove(mark)
	const good = "CREATE TABLE IF NOT EXISTS good (a INT);\n"
	for name, c := range map[string]struct{ file, result, line string }{
		"another database by name":    {good + "SELECT * FROM victim_site.secret;\n", "dbwork.import_denied", "2"},
		"a copy of another":           {good + "\nCREATE TABLE mine AS SELECT * FROM victim_site.secret;\n", "dbwork.import_denied", "3"},
		"another chosen in mid-line":  {"SELECT 1; USE victim_site; SELECT * FROM secret;\n", "dbwork.import_denied", "1"},
		"another dropped":             {"SELECT 1; DROP DATABASE victim_site;\n", "dbwork.import_denied", "1"},
		"a user made":                 {good + "CREATE USER 'x'@'%' IDENTIFIED BY 'y';\n", "dbwork.import_denied", "2"},
		"rights given":                {"GRANT ALL ON *.* TO 'club_site'@'localhost';\n", "dbwork.import_denied", "1"},
		"a definer in mid-line":       {"SELECT 1; CREATE DEFINER=`root`@`localhost` PROCEDURE evil() SELECT LOAD_FILE('/etc/passwd');\n", "dbwork.import_denied", "1"},
		"a setting of the server":     {"SET GLOBAL general_log_file = '" + mark + "';\n", "dbwork.import_denied", "1"},
		"a file written":              {"SELECT 'x' INTO OUTFILE '" + mark + "';\n", "dbwork.import_denied", "1"},
		"a file of the client's":      {"CREATE TABLE l (a TEXT);\nLOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE l;\n", "", "2"},
		"a command of the shell":      {"\\! touch " + mark + "\n;\n", "", ""},
		"system":                      {"system touch " + mark + "\nSELECT 1;\n", "", ""},
		"source":                      {"source /etc/passwd\n;\n", "", ""},
		"tee":                         {"tee " + mark + "\nSELECT 1;\n", "", ""},
		"a pager":                     {"pager touch " + mark + "\nSELECT 1;\n", "", ""},
		"an editor":                   {"edit\nSELECT 1;\n", "", ""},
		"another server":              {"connect mysql 127.0.0.1\nSELECT 1;\n", "", ""},
		"several databases":           {"USE `one`;\nCREATE TABLE IF NOT EXISTS s (a INT);\nUSE `two`;\nCREATE TABLE s2 (a INT);\n", "dbwork.import_several", "3"},
		"no SQL at all":               {"bonjour tout le monde;\n", "dbwork.import_syntax", "1"},
		"a binary file":               {"\x7fELF\x02\x01\x00\x00", "dbwork.import_binary", "1"},
		"a zip":                       {"PK\x03\x04\x14", "dbwork.import_zip", ""},
		"another encoding":            {"\xff\xfeC\x00R\x00", "dbwork.import_utf16", ""},
		"half a gzip":                 {"\x1f\x8b\x08\x00half", "dbwork.import_gzip", ""},
		"nothing":                     {"", "dbwork.import_empty", ""},
		"an event":                    {good + "CREATE EVENT e ON SCHEDULE EVERY 1 HOUR DO SELECT 1;\n", "dbwork.import_denied", "2"},
		"a table that exists already": {good + "CREATE TABLE good (a INT);\n", "dbwork.import_exists", "2"},
	} {
		work := w.load(strings.NewReader(c.file), false)
		if work.State != hosting.DatabaseWorkFailed {
			t.Errorf("%s: %+v", name, work)
			continue
		}
		if c.result != "" && work.Result.Key != c.result || c.line != "" && (len(work.Result.Args) == 0 || work.Result.Args[0] != c.line) {
			t.Errorf("%s: %+v", name, work.Result)
		}
		if _, err := os.Stat(mark); err == nil {
			t.Fatalf("%s: left its mark", name)
		}
	}
	if got := w.ask("SELECT a FROM victim_site.secret"); got != "hidden" {
		t.Error(got)
	}
	if got := w.ask("SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'club_site'"); got != "0" {
		t.Errorf("%s routines were made", got)
	}
	if got := w.ask("SELECT COUNT(*) FROM mysql.user WHERE User = 'x'"); got != "0" {
		t.Error("a user was made")
	}

	t.Run("what comes from elsewhere is taken", func(t *testing.T) {
		work := w.load(strings.NewReader("\xef\xbb\xbf/*M!999999\\- enable the sandbox mode */ \n-- phpMyAdmin\nCREATE DATABASE IF NOT EXISTS `old` DEFAULT CHARACTER SET utf8mb4;\nUSE `old`;\r\n"+
			"CREATE TABLE moved (a TEXT);\nINSERT INTO moved VALUES ('it;\nUSE elsewhere;\n');\n"+
			"/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`old`@`%` SQL SECURITY DEFINER */\n/*!50001 VIEW `vm` AS SELECT * FROM moved */;\n"+
			"DELIMITER ;;\r\n/*!50003 CREATE*/ /*!50017 DEFINER=`old`@`%`*/ /*!50003 TRIGGER tm BEFORE INSERT ON moved FOR EACH ROW\nBEGIN\nSET NEW.a = 'x';\nEND */;;\r\nDELIMITER ;\r\n"+
			"CREATE DEFINER=`root`@`localhost` PROCEDURE pm() SELECT CURRENT_USER();\n"), true)
		if work.State != hosting.DatabaseWorkDone {
			t.Fatalf("%+v", work.Result)
		}
		if got := w.ask("SELECT a FROM club_site.vm"); got != "it;\nUSE elsewhere;\n" {
			t.Errorf("%q", got)
		}
		if got := w.ask("SELECT CONCAT_WS(',', (SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_NAME = 'tm'), (SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_NAME = 'pm'))"); got != "club_site@localhost,club_site@localhost" {
			t.Error(got)
		}
	})
}

// bomb is gz that unpacks to n bytes without n bytes being anywhere.
func bomb(t *testing.T, piece string, n int64) io.Reader {
	t.Helper()
	out, in := io.Pipe()
	go func() {
		z, _ := gzip.NewWriterLevel(in, gzip.BestCompression)
		block := []byte(strings.Repeat(piece, 1<<20/len(piece)))
		for sent := int64(0); sent < n; sent += int64(len(block)) {
			if _, err := z.Write(block); err != nil {
				return
			}
		}
		_ = in.CloseWithError(z.Close())
	}()
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// endless gives the same again and again.
type endless string

func (e endless) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		n += copy(p[n:], e)
	}
	return len(p), nil
}

func TestBombs(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		file   io.Reader
		result string
	}{
		"zeros":             {bomb(t, "\x00", 24<<20), "dbwork.import_binary"}, // refused at the first: how many follow is all the same
		"one endless line":  {io.LimitReader(endless("x"), 96<<20), "dbwork.import_long"},
		"many empty lines":  {bomb(t, "\n", 24<<20), "dbwork.import_bomb"},
		"endless comments":  {bomb(t, "-- x\n", 24<<20), "dbwork.import_bomb"},
		"an open statement": {io.LimitReader(endless("SELECT (\n"), 96<<20), "dbwork.import_long"},
	} {
		work := w.load(c.file, false)
		if work.State != hosting.DatabaseWorkFailed || c.result != "" && work.Result.Key != c.result {
			t.Errorf("%s: %+v", name, work)
		}
	}
}

func TestAnImportThatFillsTheDatabaseIsStopped(t *testing.T) {
	w := newWorld(t)
	w.limit = 1 << 20
	w.exec("CREATE TABLE big (d LONGTEXT) ENGINE=MyISAM", "INSERT INTO big SELECT REPEAT('x', 2000000)")
	if work := w.load(strings.NewReader("SELECT 1;"), false); work.Result.Key != "dbwork.import_full" {
		t.Errorf("%+v", work.Result)
	}
	if work := w.load(strings.NewReader("CREATE TABLE t (a INT);"), true); work.State != hosting.DatabaseWorkDone {
		t.Errorf("emptied first: %+v", work.Result)
	}
}

func TestAFileThatBreaksOffIsNotImported(t *testing.T) {
	w := newWorld(t)
	broken, in := io.Pipe()
	go func() {
		_, _ = in.Write([]byte("CREATE TABLE half (a INT);\n"))
		in.CloseWithError(errors.New("the line is cut"))
	}()
	work := w.load(broken, false)
	if work.Result.Key != "dbwork.unsent" {
		t.Errorf("%+v", work.Result)
	}
	if got := w.ask("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'half'"); got != "0" {
		t.Error("half of a file was imported")
	}
}

func TestARestartTellsWhatWasLost(t *testing.T) {
	w := newWorld(t)
	work := w.begin(store.DatabaseWorkSpec{Kind: hosting.DatabaseWorkImport, File: "slow.sql"})
	if err := w.client.Send(t.Context(), work.ID, strings.NewReader("SELECT SLEEP(300);\n")); err != nil {
		t.Fatal(err)
	}
	w.until("it runs", func() bool {
		now, err := w.st.DatabaseWork(t.Context(), root.Scope(hosting.DatabasesRead), work.ID)
		return err == nil && now.State == hosting.DatabaseWorkRunning
	})
	began := time.Now()
	w.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	w.run()
	if work = w.ended(work.ID); work.State != hosting.DatabaseWorkFailed || work.Result.Key != "dbwork.lost" {
		t.Errorf("%+v", work)
	}
	if db, err := w.node.Database(t.Context(), w.db.ID); err != nil || len(db.Passes) != 0 {
		t.Errorf("passes are left: %+v, %v", db.Passes, err)
	}
	w.begin(store.DatabaseWorkSpec{Kind: hosting.DatabaseWorkCheck}) // nothing is in the way
}

func TestChecks(t *testing.T) {
	w := newWorld(t)
	w.exec("CREATE TABLE a (i INT)", "CREATE TABLE m (i INT) ENGINE=MyISAM")
	for kind, key := range map[hosting.DatabaseWorkKind]string{hosting.DatabaseWorkCheck: "dbwork.check_ok", hosting.DatabaseWorkOptimize: "dbwork.optimize_ok"} {
		work := w.begin(store.DatabaseWorkSpec{Kind: kind})
		if err := w.client.Run(t.Context(), work.ID); err != nil {
			t.Fatal(err)
		}
		if work = w.ended(work.ID); work.State != hosting.DatabaseWorkDone || work.Result.Key != key || !strings.Contains(work.Report, `"table":"m"`) {
			t.Errorf("%+v", work)
		}
	}
}

func TestNoSecretIsShown(t *testing.T) {
	if s := secret.NewToken(); strings.ContainsAny(s, "\"'\n\\ #;") {
		t.Errorf("%q does not fit into an option file", s)
	}
}
