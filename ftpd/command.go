package ftpd

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	goftp "goftp.io/server/v2"

	"cancale/internal/hosting"
)

// command is an entry of the table. The engine finds it by its verb; who may
// give it, and in what order, is decided here.
type command struct {
	run   func(*session, string)
	open  bool   // may come before the login
	write bool   // not for a login that may only read
	arg   bool   // needs an argument
	keeps bool   // leaves REST and RNFR in force
	usage string // what follows the verb, for HELP; in brackets what may be missing
	lacks bool   // is known and not implemented
}

// IsExtend, RequireParam and RequireAuth leave everything to Execute.
func (command) IsExtend() bool     { return false }
func (command) RequireParam() bool { return false }
func (command) RequireAuth() bool  { return false }

// Execute checks and runs the command. It always replies: the engine would
// leave the client without an answer after a panic.
func (c command) Execute(engine *goftp.Session, arg string) {
	s := sessionOf(engine)
	s.engine = engine
	defer func() {
		if p := recover(); p != nil {
			slog.Error("ftp command", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			s.closeData()
			s.reply(451, "Something went wrong on our side.")
		}
	}()
	switch {
	case !c.open && s.login == nil:
		s.reply(530, "Log in first.")
		return
	case c.arg && arg == "":
		s.reply(501, "An argument is missing.")
		return
	case c.write && !s.login.Rights.Adds():
		s.closeData()
		s.refuse(errOnlyReads)
		return
	}
	c.run(s, arg)
	if !c.keeps {
		s.restart, s.renameFrom = 0, ""
	}
}

// fixed is a command whose answer is always the same.
func fixed(code int, text string) func(*session, string) {
	return func(s *session, _ string) { s.reply(code, text) }
}

// commandTable holds every verb that gets another answer than "not found".
func commandTable() map[string]goftp.Command {
	engine := goftp.DefaultCommands()
	table := map[string]command{
		"USER": {run: user, open: true, arg: true, usage: "login"},
		"PASS": {run: pass, open: true, usage: "password"},
		"QUIT": {run: byEngine(engine["QUIT"]), open: true},
		"SYST": {run: fixed(215, "UNIX Type: L8"), open: true},
		"FEAT": {run: features, open: true},
		"OPTS": {run: options, open: true, arg: true, usage: "UTF8 [ON] | MLST facts;"},
		"CLNT": {run: fixed(200, "Noted."), open: true, usage: "program"},
		"HELP": {run: help, open: true, usage: "[command]"},
		"NOOP": {run: fixed(200, "OK."), open: true, keeps: true},
		"ALLO": {run: fixed(202, "Not needed."), keeps: true, usage: "size"},
		"AUTH": {run: protect, open: true, arg: true, usage: "TLS"},
		"PBSZ": {run: protectionBuffer, open: true, arg: true, keeps: true, usage: "0"},
		"PROT": {run: protectionLevel, open: true, arg: true, keeps: true, usage: "C | P"},
		"HOST": {run: virtualHost, open: true, arg: true, usage: "name"},
		"LANG": {run: language, open: true, usage: "[EN]"},
		"ACCT": {run: fixed(202, "No account is needed."), open: true, keeps: true, usage: "account"},
		"TYPE": {run: representation, open: true, arg: true, keeps: true, usage: "A [N] | I | L 8"},
		"MODE": {run: choose("S"), open: true, arg: true, keeps: true, usage: "S"},
		"STRU": {run: choose("F"), open: true, arg: true, keeps: true, usage: "F"},

		"PWD":  {run: workingDirectory},
		"CWD":  {run: changeDirectory(engine["CWD"]), usage: "[path]"},
		"CDUP": {run: byEngine(engine["CDUP"])},
		"MKD":  {run: makeDirectory, arg: true, write: true, usage: "path"},
		"RMD":  {run: removeDirectory, arg: true, write: true, usage: "path"},
		"DELE": {run: deleteFile, arg: true, write: true, usage: "path"},
		"RNFR": {run: renameFrom, arg: true, write: true, keeps: true, usage: "path"},
		"RNTO": {run: renameTo, arg: true, write: true, usage: "path"},
		"SITE": {run: site, arg: true, usage: "HELP | CHMOD mode path | UTIME time path"},

		"SIZE": {run: size, arg: true, usage: "path"},
		"MDTM": {run: modified, arg: true, usage: "path"},
		"MFMT": {run: setModified, arg: true, write: true, usage: "time path"},
		"MLST": {run: machineFile, usage: "[path]"},
		"STAT": {run: status, keeps: true, usage: "[path]"},
		"AVBL": {run: available, usage: "[path]"},

		"EPSV": {run: extendedPassive, keeps: true, usage: "[1 | 2 | ALL]"},
		"PASV": {run: passive, keeps: true},
		"EPRT": {run: extendedActive, arg: true, keeps: true, usage: "|family|address|port|"},
		"PORT": {run: active, arg: true, keeps: true, usage: "h1,h2,h3,h4,p1,p2"},
		"REST": {run: restart, arg: true, keeps: true, usage: "offset"},
		"ABOR": {run: abort},
		"LIST": {run: list, usage: "[-alrt] [path or pattern]"},
		"NLST": {run: nameList, usage: "[-alrt] [path or pattern]"},
		"MLSD": {run: machineList, usage: "[path]"},
		"RETR": {run: retrieve, arg: true, usage: "path"},
		"STOR": {run: put, arg: true, write: true, usage: "path"},
		"STOU": {run: putUnique, write: true, usage: "[path]"},
		"APPE": {run: appendFile, arg: true, write: true, usage: "path"},
	}
	for alias, verb := range map[string]string{"XPWD": "PWD", "XCWD": "CWD", "XCUP": "CDUP", "XMKD": "MKD", "XRMD": "RMD"} {
		table[alias] = table[verb]
	}
	commands := make(map[string]goftp.Command, len(table))
	for verb, c := range table {
		commands[verb] = c
	}
	for _, verb := range []string{
		"LPRT", "LPSV", "SMNT", "REIN", // the engine cannot forget who logged in
		"CCC", "ADAT", "CONF", "ENC", "MIC", "MFCT", "MFF",
	} {
		commands[verb] = command{run: fixed(502, "Not implemented."), open: true, keeps: true, lacks: true}
	}
	return commands
}

// byEngine leaves a command to the engine.
func byEngine(c goftp.Command) func(*session, string) {
	return func(s *session, arg string) { c.Execute(s.engine, arg) }
}

// context is what the engine's Driver is asked with.
func (s *session) context(verb, arg string) *goftp.Context {
	return &goftp.Context{Sess: s.engine, Cmd: verb, Param: arg}
}

// path is the absolute path that an argument means.
func (s *session) path(arg string) string { return clean(s.engine.BuildPath(""), arg) }

// quoted is a path in quotes, which are doubled in it, RFC 959 appendix II.
func quoted(p string) string { return `"` + strings.ReplaceAll(p, `"`, `""`) + `"` }

func features(s *session, _ string) {
	lines := []string{
		"Features:", "AVBL", "CLNT", "EPSV", "HOST", "LANG EN*", "MDTM", "MFMT", "MLST " + s.facts.list(true),
		"PASV", "REST STREAM", "SIZE", "TVFS", "UTF8",
	}
	if s.srv.now().active {
		lines = append(lines, "EPRT")
	}
	if s.srv.offersTLS() {
		lines = append(lines, "AUTH TLS", "PBSZ", "PROT")
	}
	s.replyLines(211, append(lines, "End.")...)
}

func options(s *session, arg string) {
	name, value, _ := strings.Cut(arg, " ")
	switch {
	case strings.EqualFold(name, "UTF8") && (value == "" || strings.EqualFold(value, "ON")):
		s.reply(200, "UTF-8 is always on.")
	case strings.EqualFold(name, "MLST"):
		s.facts = parseFacts(value)
		s.reply(200, strings.TrimRight("MLST OPTS "+s.facts.list(false), " "))
	default:
		s.reply(501, "No such option.")
	}
}

// help is HELP, of all commands or of one.
func help(s *session, arg string) {
	if verb := strings.ToUpper(arg); verb != "" {
		c, known := s.srv.commands[verb].(command)
		switch {
		case !known:
			s.reply(501, "No such command.")
		case c.lacks:
			s.reply(214, verb+" is not implemented.")
		default:
			s.reply(214, strings.TrimRight("Syntax: "+verb+" "+c.usage, " "))
		}
		return
	}
	lines := []string{"Commands, a star at those that are not implemented:"}
	verbs := slices.Sorted(maps.Keys(s.srv.commands))
	for chunk := range slices.Chunk(verbs, 8) {
		row := make([]string, len(chunk))
		for i, verb := range chunk {
			if c, _ := s.srv.commands[verb].(command); c.lacks {
				verb += "*"
			}
			row[i] = fmt.Sprintf("%-5s", verb)
		}
		lines = append(lines, strings.TrimRight(strings.Join(row, " "), " "))
	}
	s.replyLines(214, append(lines, "End.")...)
}

// choose accepts one of some values, in any case.
func choose(values ...string) func(*session, string) {
	return func(s *session, arg string) {
		if slices.Contains(values, strings.ToUpper(arg)) {
			s.reply(200, "OK.")
			return
		}
		s.reply(504, "Only "+strings.Join(values, ", ")+".")
	}
}

// representation is TYPE. Text is what a session begins with, RFC 959 section
// 5.1; clients ask for the other before they send a picture.
func representation(s *session, arg string) {
	switch strings.Join(strings.Fields(strings.ToUpper(arg)), " ") {
	case "A", "A N":
		s.text = true
		s.reply(200, "Type is text.")
	case "I", "L 8":
		s.text = false
		s.reply(200, "Type is binary.")
	default:
		s.reply(504, "Only A N, I, L 8.")
	}
}

// virtualHost is HOST of RFC 7151. The names of logins are unique among all sites, so
// that every name of ours is as good as another.
func virtualHost(s *session, name string) {
	switch _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")); {
	case s.login != nil:
		s.reply(503, "Already logged in.")
	case err != nil && !isHostName(name):
		s.reply(501, "Not the name of a host.")
	default:
		s.user = ""
		s.reply(220, "Cancale FTP ready.")
	}
}

func isHostName(name string) bool {
	_, err := hosting.ParseHostname(name)
	return err == nil || strings.EqualFold(name, "localhost")
}

// language is LANG of RFC 2640.
func language(s *session, tag string) {
	if base, _, _ := strings.Cut(tag, "-"); tag == "" || strings.EqualFold(base, "en") {
		s.reply(200, "English.")
		return
	}
	s.reply(504, "English only.")
}

func workingDirectory(s *session, _ string) {
	s.reply(257, quoted(s.engine.BuildPath(""))+" is the current directory.")
}

// changeDirectory leaves to the engine what it does well; only its reading of
// relative paths is not ours.
func changeDirectory(cwd goftp.Command) func(*session, string) {
	return func(s *session, arg string) { cwd.Execute(s.engine, s.path(arg)) }
}

func makeDirectory(s *session, arg string) {
	p, begun := s.path(arg), time.Now()
	err := driver{}.MakeDir(s.context("MKD", arg), p)
	s.note(hosting.Made, p, "", 0, begun, err)
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(257, quoted(p)+" created.")
}

func removeDirectory(s *session, arg string) {
	p, begun := s.path(arg), time.Now()
	err := driver{}.DeleteDir(s.context("RMD", arg), p)
	s.note(hosting.Deleted, p, "", 0, begun, err)
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(250, "Removed.")
}

func deleteFile(s *session, arg string) {
	p, begun := s.path(arg), time.Now()
	err := driver{}.DeleteFile(s.context("DELE", arg), p)
	s.note(hosting.Deleted, p, "", 0, begun, err)
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(250, "Deleted.")
}

func renameFrom(s *session, arg string) {
	p := s.path(arg)
	_, err := s.tree.describe(p)
	if err := cmp.Or(s.tree.mayChange(), err); err != nil {
		s.renameFrom = ""
		s.refuse(err)
		return
	}
	s.renameFrom = p
	s.reply(350, "Give the new name with RNTO.")
}

func renameTo(s *session, arg string) {
	if s.renameFrom == "" {
		s.reply(503, "RNFR first.")
		return
	}
	p, begun := s.path(arg), time.Now()
	err := driver{}.Rename(s.context("RNTO", arg), s.renameFrom, p)
	s.note(hosting.Renamed, s.renameFrom, p, 0, begun, err)
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(250, "Renamed.")
}

func size(s *session, arg string) {
	info, err := driver{}.Stat(s.context("SIZE", arg), s.path(arg))
	switch {
	case err != nil:
		s.refuse(err)
	case s.text: // how much text it makes is not known before it is read, RFC 3659 section 4
		s.reply(550, "TYPE I first: a size is one of bytes.")
	case !info.Mode().IsRegular():
		s.reply(550, "Not a regular file.")
	default:
		s.reply(213, strconv.FormatInt(info.Size(), 10))
	}
}

func modified(s *session, arg string) {
	info, err := driver{}.Stat(s.context("MDTM", arg), s.path(arg))
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(213, info.ModTime().UTC().Format(timeForm))
}

// setModified is MFMT of draft-somers-ftp-mfxx.
func setModified(s *session, arg string) {
	stamp, name, _ := strings.Cut(arg, " ")
	t, err := parseTime(stamp)
	if err != nil || name == "" {
		s.reply(501, "MFMT YYYYMMDDHHMMSS path")
		return
	}
	p := s.path(name)
	if err := s.tree.touch(p, t); err != nil {
		s.refuse(err)
		return
	}
	s.reply(213, "Modify="+t.Format(timeForm)+"; "+p)
}

// site is SITE.
func site(s *session, arg string) {
	verb, rest, _ := strings.Cut(arg, " ")
	switch strings.ToUpper(verb) {
	case "HELP":
		s.replyLines(214, "SITE commands:", "CHMOD mode path", "HELP", "UTIME time path", "UTIME path accessed modified created UTC", "End.")
	case "CHMOD":
		changeMode(s, rest)
	case "UTIME":
		changeTime(s, rest)
	default:
		s.reply(504, "No such SITE command.")
	}
}

func changeMode(s *session, arg string) {
	digits, name, _ := strings.Cut(arg, " ")
	mode, err := strconv.ParseUint(digits, 8, 16)
	if err != nil || mode > 0o7777 || name == "" {
		s.reply(501, "SITE CHMOD mode path")
		return
	}
	if err := s.tree.chmod(s.path(name), fs.FileMode(mode)&fs.ModePerm); err != nil {
		s.refuse(err)
		return
	}
	s.reply(200, "Mode changed.")
}

// changeTime is SITE UTIME in the two forms that clients have for it: the time
// of the last change before the path, or three times and their zone after it.
func changeTime(s *session, arg string) {
	var name, stamp string
	if words := strings.Split(arg, " "); len(words) > 4 && strings.EqualFold(words[len(words)-1], "UTC") {
		name, stamp = strings.Join(words[:len(words)-4], " "), words[len(words)-3]
	} else {
		stamp, name, _ = strings.Cut(arg, " ")
	}
	if len(stamp) == len("YYYYMMDDHHMM") {
		stamp += "00"
	}
	t, err := parseTime(stamp)
	if err != nil || name == "" {
		s.reply(501, "SITE UTIME YYYYMMDDHHMMSS path")
		return
	}
	if err := s.tree.touch(s.path(name), t); err != nil {
		s.refuse(err)
		return
	}
	s.reply(200, "Time changed.")
}

// may says what the login may do in a directory.
func (s *session) may(dir string) may {
	r := s.login.Rights
	return may{fetch: r.Fetches(), add: r.Adds(), change: r.Changes(), rename: r.Changes() && s.tree.writable(path.Clean(dir))}
}

// available is AVBL of draft-peterson-streamlined-ftp: how many bytes may still
// be written in a directory.
func available(s *session, arg string) {
	p := s.path(arg)
	info, err := s.tree.stat(p)
	if err == nil && !info.IsDir() {
		s.reply(550, "Not a directory.")
		return
	}
	var left int64
	if err == nil {
		left, _, err = s.tree.left(p)
	}
	if err != nil {
		s.refuse(err)
		return
	}
	s.reply(213, strconv.FormatInt(left, 10))
}

// restart is REST.
func restart(s *session, arg string) {
	n, err := strconv.ParseUint(arg, 10, 63)
	switch {
	case err != nil:
		s.reply(501, "REST needs a number of bytes.")
		return
	case s.text && n > 0:
		s.reply(504, restartText)
		return
	}
	s.restart = int64(n)
	s.reply(350, "Restarting at "+strconv.FormatUint(n, 10)+".")
}

// restartText is said to who would go on in the middle of a text: where that is
// in the file depends on the ends of the lines before.
const restartText = "TYPE I first: text is sent from its beginning."

// abort is ABOR when no transfer runs; those that do are ended by the watcher.
func abort(s *session, _ string) {
	s.closeData()
	s.reply(226, "Nothing to abort.")
}

// extendedPassive is EPSV, RFC 2428.
func extendedPassive(s *session, arg string) {
	family := "1"
	if s.local.Addr().Is6() {
		family = "2"
	}
	switch {
	case strings.EqualFold(arg, "ALL"):
		s.epsvOnly = true
		s.reply(200, "EPSV only from now on.")
		return
	case arg != "" && arg != family:
		s.reply(522, "Use ("+family+").")
		return
	}
	port, err := s.listen()
	if err != nil {
		s.noPort(err)
		return
	}
	s.reply(229, "Entering Extended Passive Mode (|||"+strconv.Itoa(port)+"|)")
}

// passive is PASV.
func passive(s *session, _ string) {
	switch {
	case s.epsvOnly:
		s.reply(503, "EPSV only, as you asked.")
		return
	case !s.local.Addr().Is4():
		s.reply(425, "PASV knows only IPv4; use EPSV.")
		return
	}
	port, err := s.listen()
	if err != nil {
		s.noPort(err)
		return
	}
	s.reply(227, "Entering Passive Mode ("+strings.ReplaceAll(s.passiveAddress().String(), ".", ",")+
		","+strconv.Itoa(port>>8)+","+strconv.Itoa(port&0xff)+")")
}

// extendedActive is EPRT, RFC 2428.
func extendedActive(s *session, arg string) {
	var to netip.AddrPort
	if arg[0] > ' ' && arg[0] < 0x7f {
		// A delimiter of the client's choice, around family, address and port.
		if f := strings.Split(arg, arg[:1]); len(f) == 5 && f[0] == "" && f[4] == "" {
			if f[1] != "1" && f[1] != "2" {
				s.reply(522, "Use (1,2).")
				return
			}
			addr, err := netip.ParseAddr(f[2])
			port, errPort := strconv.ParseUint(f[3], 10, 16)
			if err == nil && errPort == nil && addr.Is4() == (f[1] == "1") {
				to = netip.AddrPortFrom(addr, uint16(port))
			}
		}
	}
	s.connectTo(to)
}

// active is PORT.
func active(s *session, arg string) {
	var to netip.AddrPort
	if f := strings.Split(arg, ","); len(f) == 6 {
		var b [6]byte
		ok := true
		for i, word := range f {
			n, err := strconv.ParseUint(word, 10, 8)
			b[i], ok = byte(n), ok && err == nil
		}
		if ok {
			to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8|uint16(b[5]))
		}
	}
	s.connectTo(to)
}

// lowestActive is the first port that is no service's.
const lowestActive = 1024

// connectTo notes where the next data connection goes, which is to the client
// itself and to no service, lest the daemon be a way to somebody else's.
func (s *session) connectTo(to netip.AddrPort) {
	switch {
	case !s.srv.now().active:
		s.reply(502, "Passive mode only; use EPSV or PASV.")
	case s.epsvOnly:
		s.reply(503, "EPSV only, as you asked.")
	case !to.IsValid():
		s.reply(501, "Not an address and a port.")
	case to.Addr().Unmap() != s.peer.Addr() || to.Port() < lowestActive:
		s.reply(504, "Only to your own address, from port 1024 on.")
	default:
		s.closeData()
		s.mu.Lock()
		s.data.active = to
		s.mu.Unlock()
		s.reply(200, "OK.")
	}
}

func (s *session) noPort(err error) {
	slog.Error("ftp passive port", slog.Any("error", err))
	s.reply(425, "No data port is free, try again in a moment.")
}
