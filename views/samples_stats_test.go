package views

import (
	"math"
	"net/url"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/sitelog"
	"cancale/internal/traffic"
)

func dayOfVisits(age int, wave float64) hosting.TrafficDay {
	pages := int64(340 + 140*wave)
	return hosting.TrafficDay{
		Day: now.AddDate(0, 0, -age).Format(time.DateOnly), Hits: pages * 9, Pages: pages, Visitors: pages * 2 / 5, Robots: pages, Bytes: pages * 410_000,
		Good: pages * 8, Moved: pages / 2, Refused: pages / 4, Failed: pages / 30,
	}
}

// monthOfVisits is each of the last 30 days.
func monthOfVisits(pace float64) (month []hosting.TrafficDay) {
	for i := 29; i >= 0; i-- {
		month = append(month, dayOfVisits(i, math.Sin(float64(i)*1.1*pace)+math.Sin(float64(i)*0.31)))
	}
	return month
}

// visitSamples are the pages of what visitors did, and of how the machine is.
func visitSamples(member, admin Page, site hosting.Site, platform PlatformParams) []sample {
	of := SiteParams{Site: site, URL: "http://souffle-en-baie.example/", Now: now, CanWrite: true, CanRun: true, CanLogs: true}
	reader := SiteParams{Site: site, URL: of.URL, Now: now}

	query := func(text string) url.Values { q, _ := url.ParseQuery(text); return q }
	visit := func(age time.Duration, status int, path, referrer string, took time.Duration) LogLine {
		return LogLine{Line: sitelog.Line{
			At: now.Add(-age), Status: status, Method: "GET", Path: path, Address: "198.51.100.23", Referrer: referrer,
			Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Bytes: 18_400, Took: took,
		}}
	}
	visits := []LogLine{
		visit(2*time.Second, 200, "/", "", 12*time.Millisecond),
		visit(4*time.Second, 404, "/wp-content/uploads/affiche-du-loto-de-decembre.jpg", "https://souffle-en-baie.example/agenda", time.Millisecond),
		visit(time.Minute, 500, "/inscription.php?etape=2", "", 3400*time.Millisecond),
		visit(3*time.Minute, 301, "/contact", "", 0),
		visit(4*time.Minute, 400, `/<script>alert(1)</script>\x1b[31m`+strings.Repeat("/très-long", 60), "", 0),
		visit(26*time.Hour, 200, "/adherer", "https://search.example/?q=souffle", 80*time.Millisecond),
	}
	visits[0].NewDay, visits[5].NewDay = true, true
	errors := []LogLine{
		{Line: sitelog.Line{At: now.Add(-time.Minute), Level: "error", Address: "198.51.100.23:4711", Text: "AH00128: File does not exist: www/favicon.ico"}, NewDay: true},
		{Line: sitelog.Line{At: now.Add(-2 * time.Minute), Level: "warn", Text: "AH01071: something to note"}},
	}
	php := []LogLine{
		{Line: sitelog.Line{Text: "  thrown in www/inscription.php on line 42"}},
		{Line: sitelog.Line{Text: "#0 {main}"}},
		{Line: sitelog.Line{At: now.Add(-time.Minute), Level: "error", Text: "Fatal error:  Uncaught TypeError: date(): Argument #2 must be of type ?int in www/inscription.php:42"}, NewDay: true},
		{Line: sitelog.Line{At: now.Add(-time.Hour), Level: "warn", Text: `Warning:  Undefined variable $nom in www/contact.php on line 7`}},
	}
	logs := func(kind, q string, lines []LogLine, change func(*LogsParams)) LogsParams {
		p := LogsParams{SiteParams: of, Kind: kind, Query: query(q), Lines: lines, InTime: true, Days: []string{"2026-11-22", "2026-11-21"}, Current: "1f.2", LogDays: 30, Short: 14, Download: true}
		if change != nil {
			change(&p)
		}
		return p
	}

	var month, week, year []hosting.TrafficDay
	month = monthOfVisits(1)
	week = month[23:]
	for i := range 12 {
		d := dayOfVisits(0, math.Sin(float64(i)))
		d.Day = time.Date(2025, 12+time.Month(i), 1, 0, 0, 0, 0, time.Local).Format(time.DateOnly)
		d.Bytes *= 30
		year = append(year, d)
	}
	names := traffic.Day{
		Status: map[int]int64{200: 71_204, 304: 2100, 301: 1204, 404: 820, 500: 14, 418: 2},
		Names: traffic.Names{
			Top:       map[string]int64{"/": 4210, "/agenda": 1980, "/adherer": 804, "/actualites/2026/11/loto-du-5-decembre-salle-des-fetes-de-la-mairie-annexe": 412, "/contact": 399},
			Missing:   map[string]int64{"/wp-login.php": 512, "/favicon.ico": 204, `/<b>gras</b>\x1b[31m`: 3, "/\u202eexe.txt": 1},
			Referrers: map[string]int64{"www.search.example": 840, "mairie-de-cancale.example": 122},
			Slow:      map[string]traffic.Slow{"/inscription.php": {N: 41, Took: 98_000, Worst: 7400}, "/agenda": {N: 2, Took: 2400, Worst: 1300}},
		},
	}
	stats := func(period string, days []hosting.TrafficDay, names traffic.Day, of SiteParams) sample {
		return sample{name: "site-stats-" + period, page: SiteStatsPage(member, StatsParams{SiteParams: of, Period: period, Days: days, Names: names, Months: 13})}
	}
	none := stats("7", make([]hosting.TrafficDay, 7), traffic.Day{}, reader)
	none.name = "site-stats-none"

	busy := platform
	busy.Period = "day"
	for i := range 24 * 60 {
		if i > 500 && i < 560 {
			continue // it was stopped
		}
		wave := math.Sin(float64(i) / 200)
		busy.Samples = append(busy.Samples, hosting.Sample{At: now.Add(time.Duration(i-24*60) * time.Minute), Numbers: map[string]float64{
			hosting.SampleLoad: 0.8 + 0.5*wave + 0.2*math.Sin(float64(i)/17), hosting.SampleMemoryUsed: (3.1 + 0.4*wave) * (1 << 30), hosting.SampleMemory: 7.7 * (1 << 30),
			hosting.SampleDiskUsed: (212 + float64(i)/200) * (1 << 30), hosting.SampleDisk: 468 * (1 << 30),
			hosting.SamplePSS + "panel": 41 << 20, hosting.SamplePSS + "agent": 60 << 20, hosting.SamplePSS + "mariadb": (310 + 20*wave) * (1 << 20),
			hosting.SamplePSS + "apache": (90 + 30*wave) * (1 << 20), hosting.SamplePSS + "ftpd": 38 << 20, hosting.SamplePSS + "php": (240 + 200*wave) * (1 << 20),
			hosting.SampleWeb: math.Round(40 + 30*wave), hosting.SampleDatabase: math.Round(12 + 4*wave), hosting.SampleFTP: 2, hosting.SamplePHP: math.Round(16 + 10*wave),
			hosting.SampleSites: 1204, hosting.SampleSitesFailed: 2, hosting.SampleSitesOff: 31, hosting.SampleWaiting: math.Max(0, math.Round(3*wave)), hosting.SampleMails: 0,
		}})
	}
	return []sample{
		{name: "site-logs", page: SiteLogsPage(member, logs("access", "kind=access", visits, func(p *LogsParams) { p.Next = "now:4711" }))},
		{name: "site-logs-live", page: SiteLogsPage(member, logs("access", "kind=access&follow=1", visits[:4], func(p *LogsParams) { p.Follow = true }))},
		{name: "site-logs-search", page: SiteLogsPage(member, logs("access", "q=zz&status=5&path=/wp&day=2026-11-21", nil, func(p *LogsParams) { p.Next, p.InTime = "2026-11-21.1:4711", false }))},
		{name: "site-logs-none", page: SiteLogsPage(member, logs("error", "kind=error", nil, func(p *LogsParams) { p.Days, p.Download, p.LogDays = nil, false, 1 }))},
		{name: "site-logs-error", page: SiteLogsPage(member, logs("error", "kind=error", errors, nil))},
		{name: "site-logs-php", page: SiteLogsPage(member, logs("php", "kind=php", php, func(p *LogsParams) { p.Days = nil }))},
		{name: "site-logs-unreadable", page: SiteLogsPage(member, logs("php", "kind=php", nil, func(p *LogsParams) { p.Days, p.Missing = nil, hosting.Msg("logs.php_no_file") }))},
		{name: "site-logs-lines", page: LogLines(logs("access", "follow=1", visits[:1], func(p *LogsParams) { p.Follow = true })), bare: true},
		stats("30", month, names, of), stats("7", week, names, of), stats("12", year, names, of), none,
		{name: "platform-charts", page: AdminPlatformPage(admin, busy)},
	}
}
