package hosting

import (
	"slices"
	"strconv"
)

// SiteChange is one act on how a site answers, made of parsed values. It is
// tried on what is stored at that moment, so that two persons who change
// different things do not undo each other's.
type SiteChange interface {
	// Action names the act in the audit log.
	Action() string
	// Change alters the site, or refuses.
	Change(site *Site, in Choices) error
}

// Choices are what an installation lets its sites choose.
type Choices struct {
	PHP    PHPLimits
	Served []PHPVersion // the versions that the site's machine has
}

// PHPChange chooses a version of PHP and its settings.
type PHPChange struct {
	Version  PHPVersion
	Settings PHPSettings
}

// Action names the act.
func (PHPChange) Action() string { return "site.php" }

// Change alters the site.
func (c PHPChange) Change(site *Site, in Choices) error {
	var errs Errors
	if !slices.Contains(in.Served, c.Version) && c.Version != site.PHP {
		errs.Add(Refuse(Invalid, "php", "php.unknown_version", string(c.Version)))
	}
	// What a site already has stays allowed when the limits are lowered.
	had := site.Behaviour.PHP
	errs.Add(c.Settings.Check(PHPLimits{
		MemoryMB: max(in.PHP.MemoryMB, had.MemoryMB), UploadMB: max(in.PHP.UploadMB, had.UploadMB), Seconds: max(in.PHP.Seconds, had.Seconds),
	}))
	site.PHP, site.Behaviour.PHP = c.Version, c.Settings
	return errs.Err()
}

// AddressChange chooses which of two names visitors end up on, and redirects.
type AddressChange struct {
	Aliases   []Hostname
	Canonical Canonical
	Redirects []Redirect
}

// Action names the act.
func (AddressChange) Action() string { return "site.addresses" }

// Change alters the site.
func (c AddressChange) Change(site *Site, _ Choices) error {
	if err := (SiteSpec{Host: site.Host, Aliases: c.Aliases}).Check(); err != nil {
		return err
	}
	site.Aliases = c.Aliases
	if c.Canonical != CanonicalNone && len(c.Canonical.Moves(site.Names())) == 0 {
		return Refuse(Invalid, "canonical", "canonical.no_pair", site.Host.otherForm().Unicode())
	}
	if len(c.Redirects) > maxRedirects {
		return Refuse(Invalid, "redirects", "redirect.too_many", strconv.Itoa(maxRedirects))
	}
	site.Behaviour.Canonical, site.Behaviour.Redirects = c.Canonical, c.Redirects
	return CheckLoops(c.Redirects, site.Names())
}

// otherForm is the name with www, or without it.
func (h Hostname) otherForm() Hostname {
	if len(h) > 4 && h[:4] == "www." {
		return h[4:]
	}
	return "www." + h
}

// FolderChange chooses what is served: the folder, whether folders are listed,
// and the pages for what goes wrong.
type FolderChange struct {
	DocumentRoot DocumentRoot
	Listing      bool
	ErrorPages   ErrorPages
}

// Action names the act.
func (FolderChange) Action() string { return "site.folder" }

// Change alters the site.
func (c FolderChange) Change(site *Site, _ Choices) error {
	site.DocumentRoot, site.Behaviour.Listing, site.Behaviour.ErrorPages = c.DocumentRoot, c.Listing, c.ErrorPages
	return nil
}

// MaintenanceChange turns the maintenance page on or off.
type MaintenanceChange struct {
	Maintenance Maintenance // its VisitSecret is kept, or drawn
	NewSecret   bool        // the links given away so far shall end
}

// Action names the act.
func (MaintenanceChange) Action() string { return "site.maintenance" }

// Change alters the site.
func (c MaintenanceChange) Change(site *Site, _ Choices) error {
	m := c.Maintenance
	if m.VisitSecret = site.Behaviour.Maintenance.VisitSecret; m.VisitSecret == "" || c.NewSecret {
		m.VisitSecret = NewToken()
	}
	site.Behaviour.Maintenance = m
	return nil
}

// ProtectFolder makes a folder ask for a password. Nobody may enter before
// AllowFolderUser.
type ProtectFolder struct{ Path URLPath }

// Action names the act.
func (ProtectFolder) Action() string { return "site.protect" }

// Change alters the site.
func (c ProtectFolder) Change(site *Site, _ Choices) error {
	list := site.Behaviour.Protected
	if folderAt(list, c.Path) >= 0 {
		return Refuse(Conflict, "path", "protected.twice", string(c.Path))
	}
	if len(list) >= maxProtected {
		return Refuse(OverLimit, "path", "protected.too_many", strconv.Itoa(maxProtected))
	}
	site.Behaviour.Protected = append(slices.Clone(list), ProtectedFolder{Path: c.Path})
	return nil
}

// UnprotectFolder opens a folder to everybody again and forgets its users.
type UnprotectFolder struct{ Path URLPath }

// Action names the act.
func (UnprotectFolder) Action() string { return "site.unprotect" }

// Change alters the site.
func (c UnprotectFolder) Change(site *Site, _ Choices) error {
	i := folderAt(site.Behaviour.Protected, c.Path)
	if i < 0 {
		return Refuse(NotFound, "", "protected.not_found")
	}
	site.Behaviour.Protected = slices.Delete(slices.Clone(site.Behaviour.Protected), i, i+1)
	return nil
}

// AllowFolderUser lets somebody into a protected folder, or changes their
// password.
type AllowFolderUser struct {
	Path URLPath
	User FolderUser
}

// Action names the act.
func (AllowFolderUser) Action() string { return "site.folder_user" }

// Change alters the site.
func (c AllowFolderUser) Change(site *Site, _ Choices) error {
	return onFolder(site, c.Path, func(f *ProtectedFolder) error {
		if i := userAt(f.Users, c.User.Name); i >= 0 {
			f.Users[i] = c.User
			return nil
		}
		if len(f.Users) >= maxFolderUsers {
			return Refuse(OverLimit, "user", "protected.too_many_users", strconv.Itoa(maxFolderUsers))
		}
		f.Users = append(f.Users, c.User)
		return nil
	})
}

// RefuseFolderUser takes somebody's entry to a protected folder away.
type RefuseFolderUser struct {
	Path URLPath
	Name FolderUserName
}

// Action names the act.
func (RefuseFolderUser) Action() string { return "site.folder_user_removed" }

// Change alters the site.
func (c RefuseFolderUser) Change(site *Site, _ Choices) error {
	return onFolder(site, c.Path, func(f *ProtectedFolder) error {
		i := userAt(f.Users, c.Name)
		if i < 0 {
			return Refuse(NotFound, "", "folder_user.not_found")
		}
		f.Users = slices.Delete(f.Users, i, i+1)
		return nil
	})
}

// onFolder changes one protected folder in copies of the lists: what is stored
// is told beside what was before.
func onFolder(site *Site, path URLPath, change func(*ProtectedFolder) error) error {
	i := folderAt(site.Behaviour.Protected, path)
	if i < 0 {
		return Refuse(NotFound, "", "protected.not_found")
	}
	site.Behaviour.Protected = slices.Clone(site.Behaviour.Protected)
	f := &site.Behaviour.Protected[i]
	f.Users = slices.Clone(f.Users)
	return change(f)
}

func folderAt(list []ProtectedFolder, path URLPath) int {
	return slices.IndexFunc(list, func(f ProtectedFolder) bool { return f.Path == path })
}

func userAt(list []FolderUser, name FolderUserName) int {
	return slices.IndexFunc(list, func(u FolderUser) bool { return u.Name == name })
}
