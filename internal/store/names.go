package store

import (
	"slices"
	"strings"

	"cancale/internal/hosting"
)

// hostName is a row of site_names.
type hostName struct {
	Name      hosting.Hostname
	Reversed  string
	Displayed string
	SiteID    hosting.SiteID
	AccountID hosting.AccountID
	Position  int    // 0 is the host, the aliases follow
	Dropped   uint64 // generation with which the site gave it up; 0: it has it
}

// TableName is what GORM asks for.
func (hostName) TableName() string { return "site_names" }

// holder is who has a name already.
type holder struct {
	Name      hosting.Hostname
	AccountID hosting.AccountID
	SiteID    hosting.SiteID
	Dropped   uint64
	State     hosting.State
	Removing  bool
	Kept      bool
	Free      bool
}

// nameIsFree is true of a name (n) that the machine no longer serves for its
// site (s): the site is gone, or confirmed without the name. While a site is
// failed, its last good configuration may still have it.
const nameIsFree = "(s.state = 'removed' OR n.dropped > 0 AND s.observed >= n.dropped AND s.state IN ('live', 'suspended'))"

// claimNames makes the names of the specs free for sites of the account: it
// refuses those that others have, and takes those that only removed things
// still hold: when these are brought back, they come without. site is the one that is changed, zero for new ones.
//
// Until the transaction ends nobody else claims names, so that a parent and a
// child cannot slip in side by side.
func (t *tx) claimNames(account hosting.AccountID, site hosting.SiteID, specs []hosting.SiteSpec) error {
	if err := t.Exec("UPDATE turns SET taken = taken + 1 WHERE name = 'host_names'").Error; err != nil {
		return err
	}
	var wanted []hosting.Hostname
	for _, spec := range specs {
		wanted = append(append(wanted, spec.Host), spec.Aliases...)
	}
	holders, err := t.related(wanted)
	if err != nil {
		return err
	}
	held := make(map[hosting.Hostname]holder, len(holders))
	var others []hosting.Hostname // of other accounts, and still there
	for _, h := range holders {
		held[h.Name] = h
		if !h.Free && h.AccountID != account {
			others = append(others, h.Name)
		}
	}
	seen := make(map[hosting.Hostname]bool, len(wanted))
	var gone []hosting.SiteID
	var dropped []hosting.Hostname
	for _, spec := range specs {
		names := append([]hosting.Hostname{spec.Host}, spec.Aliases...)
		for i, name := range names {
			field := "host"
			if i > 0 {
				field = "aliases"
			}
			h, exists := held[name]
			switch {
			case seen[name]:
				return hosting.Refuse(hosting.Conflict, field, "host.taken", name.Unicode())
			case !exists || h.SiteID == site:
			case h.Free && h.State == hosting.Removed && !h.Kept:
				gone = append(gone, h.SiteID)
			case h.Free:
				dropped = append(dropped, name)
			case h.Removing || h.Dropped > 0:
				return hosting.Refuse(hosting.Conflict, field, "host.removing", name.Unicode())
			default:
				return hosting.Refuse(hosting.Conflict, field, "host.taken", name.Unicode())
			}
			seen[name] = true
		}
		if err := hosting.CheckNames(names, t.cfg.PanelHost, others); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		if err := forgetSites(t.DB, gone); err != nil {
			return err
		}
	}
	if len(dropped) > 0 {
		return t.Exec("DELETE FROM site_names WHERE name IN ?", dropped).Error
	}
	return nil
}

// related reads who has one of the names, a name above or a name beneath one.
// Each part of the query is a look-up in an index.
func (t *tx) related(names []hosting.Hostname) ([]holder, error) {
	const columns = "SELECT n.name, n.account_id, n.site_id, n.dropped, s.state, s.removing, s.kept_until IS NOT NULL AS kept, " + nameIsFree + " AS free FROM site_names n JOIN sites s ON s.id = n.site_id WHERE "
	const chunk = 200
	var holders []holder
	for part := range slices.Chunk(names, chunk) {
		var same []hosting.Hostname
		var beneath []string
		var args []any
		for _, name := range part {
			same = append(append(same, name), name.Parents()...)
			// In binary order "/" follows ".", which ends a label.
			beneath = append(beneath, "n.reversed > ? AND n.reversed < ?")
			from := reversed(name)
			args = append(args, from, strings.TrimSuffix(from, ".")+"/")
		}
		found, err := list[holder](t.DB, columns+"n.name IN ?", same)
		if err != nil {
			return nil, err
		}
		below, err := list[holder](t.DB, columns+"(("+strings.Join(beneath, ") OR (")+"))", args...)
		if err != nil {
			return nil, err
		}
		holders = append(append(holders, found...), below...)
	}
	return holders, nil
}

// reversed is a name from its end: "fr.asso.parc." for parc.asso.fr, so that
// the names beneath it are those that begin with it.
func reversed(name hosting.Hostname) string {
	labels := strings.Split(string(name), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// namesOf are the rows of a site's names.
func namesOf(site hosting.Site) []hostName {
	rows := make([]hostName, 0, 1+len(site.Aliases))
	for i, name := range site.Names() {
		rows = append(rows, hostName{
			Name: name, Reversed: reversed(name), Displayed: name.Unicode(),
			SiteID: site.ID, AccountID: site.AccountID, Position: i,
		})
	}
	return rows
}
