package hosting

import "time"

// TrafficDay is what the visitors of a site did on one day.
type TrafficDay struct {
	Day      string // 2006-01-02
	Hits     int64  // requests
	Pages    int64  // pages that people were shown
	Visitors int64  // people and their browsers, about
	Robots   int64  // requests of programs that say that they are programs
	Bytes    int64  // sent
	Good     int64  // requests by what was answered: 2xx
	Moved    int64  // 3xx
	Refused  int64  // 4xx
	Failed   int64  // 5xx
}

// Add adds another day. Visitors of several days are those of each: nobody
// knows who came again.
func (d *TrafficDay) Add(other TrafficDay) {
	d.Hits += other.Hits
	d.Pages += other.Pages
	d.Visitors += other.Visitors
	d.Robots += other.Robots
	d.Bytes += other.Bytes
	d.Good += other.Good
	d.Moved += other.Moved
	d.Refused += other.Refused
	d.Failed += other.Failed
}

// TrafficNamesDays is how long the names behind the figures are kept: pages,
// referrers and the like.
const TrafficNamesDays = 62

// Sample is how a machine was at a time, or on average from then on.
type Sample struct {
	At      time.Time
	Numbers map[string]float64
}

// Grain is how far samples are apart.
type Grain string

// Grains, the finest first. Samples of each are kept as long as a chart of them
// shows more than those of the next.
const (
	EachMinute Grain = "minute"
	EachHour   Grain = "hour"
	EachDay    Grain = "day"
)

// Kept is how long samples of a grain are kept.
func (g Grain) Kept() time.Duration {
	const day = 24 * time.Hour
	switch g {
	case EachMinute:
		return day + time.Hour
	case EachHour:
		return 32 * day
	}
	return 400 * day
}

// What a sample tells. Numbers may be missing: what could not be measured is
// not there.
const (
	SampleLoad        = "load"     // of one minute
	SampleCores       = "cores"    // processors
	SampleMemoryUsed  = "mem_used" // bytes
	SampleMemory      = "mem"      // bytes
	SampleDiskUsed    = "disk_used"
	SampleDisk        = "disk"
	SampleSites       = "sites_live"
	SampleSitesFailed = "sites_failed"
	SampleSitesOff    = "sites_off"
	SampleWaiting     = "waiting" // sites and databases whose change is not applied yet
	SampleMails       = "mails"   // that wait to be sent
	SampleFTP         = "ftp"     // sessions
	SampleDatabase    = "db"      // connections to MariaDB
	SampleWeb         = "web"     // connections to Apache
	SamplePHP         = "php"     // processes of PHP that are awake
	// SamplePSS with the name of a service behind it is the memory that its
	// processes take, in bytes; pages that several share are counted in parts.
	SamplePSS = "pss_"
)

// Mean is the mean of samples, of each number over those that have it.
func Mean(samples []Sample) map[string]float64 {
	sums, times := map[string]float64{}, map[string]float64{}
	for _, s := range samples {
		for name, n := range s.Numbers {
			sums[name] += n
			times[name]++
		}
	}
	for name := range sums {
		sums[name] /= times[name]
	}
	return sums
}

// Length is the time that a sample of the grain is of.
func (g Grain) Length() time.Duration {
	switch g {
	case EachMinute:
		return time.Minute
	case EachHour:
		return time.Hour
	}
	return 24 * time.Hour
}
