package views

import (
	"time"

	"cancale/internal/hosting"
)

// fileSamples are the pages of the file manager.
func fileSamples(member Page, live hosting.Site, sites []hosting.Site, space hosting.Space, errs func(...string) Errors, list func(path, query string, total, page int) List) []sample {
	entry := func(name string, kind hosting.EntryKind, size int64, ago time.Duration) hosting.FileEntry {
		return hosting.FileEntry{Name: []byte(name), Kind: kind, Size: size, Modified: now.Add(-ago), Mode: 0o644}
	}
	const day = 24 * time.Hour
	link := entry("actuel", hosting.EntryFolder, 0, day)
	link.Link = []byte("2026")
	folder := hosting.FileListing{Writable: true, Total: 12, Folders: 3, Entries: []hosting.FileEntry{
		entry("2019", hosting.EntryFolder, 0, 2500*day), entry("2025", hosting.EntryFolder, 0, 330*day), link,
		entry("affiche-loto.jpg", hosting.EntryFile, 1_887_436, 20*time.Minute), entry("compte-rendu-ag.pdf", hosting.EntryFile, 655_360, 21*time.Minute),
		entry(".htaccess", hosting.EntryFile, 1024, 19*day), entry("functions.php", hosting.EntryFile, 14_336, 25*day),
		entry("sauvegarde-du-site-complet-avant-la-mise-a-jour-de-novembre-2026.zip", hosting.EntryFile, 268_435_456, day),
		entry("réglages.json", hosting.EntryFile, 812, 3*day), entry("film-ag.mov", hosting.EntryFile, 912_680_550, 2*day),
		entry("\xff\n<b>étrange.txt", hosting.EntryFile, 0, day), entry("dehors", hosting.EntryLink, 0, day),
	}}
	at := FilesAt{Site: live, Path: "www/wp-content/uploads", CanWrite: true}
	reader := at
	reader.CanWrite = false
	of := func(p hosting.FilePath) FilesAt { return FilesAt{Site: live, Path: p, CanWrite: true} }
	const code = "<?php\n// Ajoute la couleur du thème enfant « Rivage ».\nadd_action('wp_enqueue_scripts', function () {\n    wp_enqueue_style('rivage', get_stylesheet_uri(), [], '1.4.2');\n});\n"
	text := hosting.FileText{Text: code, Encoding: hosting.UTF8, LineEnd: hosting.LF, Version: "v", Size: int64(len(code)), Modified: now.Add(-25 * day), Writable: true}
	latin := text
	latin.Encoding, latin.LineEnd, latin.Mixed = hosting.Windows1252, hosting.CRLF, true
	others := []hosting.FileEditor{{Name: "Yann Le Goff", Since: now.Add(-12 * time.Minute)}}
	php := of("www/wp-content/themes/rivage/functions.php")
	form := FileEditForm{Path: string(php.Path), Version: "v", Encoding: "utf-8", Text: code}
	refusedForm := form
	refusedForm.Errors = errs("text", "files.not_text", "encoding", "files.encoding_unknown")
	chosen := []hosting.FilePath{"www/wp-content/uploads/2019", "www/wp-content/uploads/affiche-loto.jpg"}
	var many []hosting.FilePath
	for range 30 {
		many = append(many, chosen...)
	}
	filesList := func(query string, total int) List { return list("/files/1", query, total, 1) }
	about := func(e hosting.FileEntry) hosting.FileAbout { return hosting.FileAbout{FileEntry: e, Writable: true} }
	return []sample{
		{name: "files-sites", page: FileSitesPage(member, FileSitesParams{List: list("/files", "", 7, 1), Sites: sites, CanWrite: true})},
		{name: "files-sites-none", page: FileSitesPage(member, FileSitesParams{List: list("/files", "", 0, 1), CanWrite: true})},
		{name: "files", page: FilesPage(member, FilesParams{At: at, List: filesList("path=www%2Fwp-content%2Fuploads", 12), Listing: folder, Space: space, CanSettings: true})},
		{name: "files-many", page: FilesPage(member, FilesParams{At: reader, List: filesList("sort=-size", 10_000), Listing: hosting.FileListing{Total: 10_000, Entries: folder.Entries}, Space: space})},
		{name: "files-home", page: FilesPage(member, FilesParams{At: of(""), List: filesList("", 2), Listing: hosting.FileListing{Total: 2, Folders: 2, Entries: []hosting.FileEntry{entry("private", hosting.EntryFolder, 0, day), entry("www", hosting.EntryFolder, 0, day)}}, Space: space, CanSettings: true})},
		{name: "files-empty", page: FilesPage(member, FilesParams{At: at, List: filesList("", 0), Listing: hosting.FileListing{Writable: true}, Space: space, Problems: []hosting.Message{hosting.Msg("files.exists", "affiche-loto.jpg"), hosting.Msg("files.full")}})},
		{name: "files-search", page: FilesPage(member, FilesParams{At: at, List: filesList("q=photo", 1), Listing: hosting.FileListing{Writable: true, Partial: true, Total: 1, Entries: []hosting.FileEntry{entry("2019/été/photo.jpg", hosting.EntryFile, 9000, day)}}, Space: space})},
		{name: "files-search-none", page: FilesPage(member, FilesParams{At: at, List: filesList("q=zzz", 0), Listing: hosting.FileListing{Writable: true}, Space: space})},
		{name: "file-picture", page: FilePage(member, FileParams{At: of("www/wp-content/uploads/affiche-loto.jpg"), About: about(folder.Entries[3])})},
		{name: "file-archive", page: FilePage(member, FileParams{At: of("www/a.zip"), About: about(entry("a.zip", hosting.EntryFile, 9000, day))})},
		{name: "file-link", page: FilePage(member, FileParams{At: FilesAt{Site: live, Path: "www/dehors"}, About: hosting.FileAbout{FileEntry: folder.Entries[11]}})},
		{name: "file-new-folder", page: FileNamePage(member, FileNameParams{At: at, Act: "folder", Form: FileNameForm{Path: string(at.Path), Name: "a/b", Errors: errs("name", "files.name_invalid")}})},
		{name: "file-new", page: FileNamePage(member, FileNameParams{At: at, Act: "new", Form: FileNameForm{Path: string(at.Path)}})},
		{name: "file-rename", page: FileNamePage(member, FileNameParams{At: php, Act: "rename", Form: FileNameForm{Path: string(php.Path), Name: "functions.php"}})},
		{name: "files-move", page: FileTargetPage(member, FileTargetParams{At: at, Act: "move", Paths: chosen, To: "www/wp-content", Listing: hosting.FileListing{Writable: true, Total: 210, Entries: folder.Entries[:3]}})},
		{name: "file-copy", page: FileTargetPage(member, FileTargetParams{At: at, Act: "copy", Paths: chosen[:1], To: "", Listing: hosting.FileListing{}, Errors: errs("to", "files.into_itself")})},
		{name: "file-delete", page: FilesDeletePage(member, FilesDeleteParams{At: at, Paths: chosen[:1]})},
		{name: "files-delete", page: FilesDeletePage(member, FilesDeleteParams{At: at, Paths: many})},
		{name: "files-mode", page: FileModePage(member, FileModeParams{At: at, Paths: chosen, About: about(folder.Entries[0]), Form: FileModeForm{Mode: "755", Deep: true, Errors: errs("mode", "files.mode_invalid")}})},
		{name: "file-unpack", page: FileUnpackPage(member, FileUnpackParams{At: of("www/a.zip"), Form: FileUnpackForm{Where: "here", Errors: errs("replace", "files.archive_exists")}})},
		{name: "file-edit", page: FileEditPage(member, FileEditParams{At: php, Text: text, Form: form, Others: others})},
		{name: "file-edit-refused", page: FileEditPage(member, FileEditParams{At: php, Text: latin, Form: refusedForm})},
		{name: "file-read", page: FileEditPage(member, FileEditParams{At: reader, Text: text, Form: form})},
		{name: "file-conflict", page: FileConflictPage(member, FileConflictParams{At: php, Form: form, Now: &text, Others: others})},
		{name: "file-conflict-gone", page: FileConflictPage(member, FileConflictParams{At: php, Form: form})},
		{name: "part-file-editors", bare: true, page: FileEditors(others, now)},
	}
}
