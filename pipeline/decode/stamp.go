package decode

// parseStamp reads a time such as 2026-01-02T03:04:05.678901+0000, digit by digit:
// a date, T or a space, a time with any fraction, and Z, +hhmm, +hh:mm or nothing,
// which is UTC. Any other form goes to parseISO.
func parseStamp(b []byte) (int64, bool) {
	if len(b) < 19 || len(b) > 40 || b[4] != '-' || b[7] != '-' || b[10] != 'T' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return parseISO(b)
	}
	year, month, day := digits(b[:4]), digits(b[5:7]), digits(b[8:10])
	hour, minute, second := digits(b[11:13]), digits(b[14:16]), digits(b[17:19])
	fraction, zone := int64(0), b[19:]
	if len(zone) > 0 && zone[0] == '.' {
		end := 1
		for scale := int64(100_000_000); end < len(zone) && zone[end]-'0' < 10; end++ {
			fraction += int64(zone[end]-'0') * scale
			scale /= 10
		}
		zone = zone[end:]
	}
	offset, ok := zoneSeconds(zone)
	if !ok || year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return parseISO(b)
	}
	seconds := daysSince1970(year, month, day)*86400 + hour*3600 + minute*60 + second - offset
	return seconds*1_000_000_000 + fraction, true
}

// digits reads decimal digits, -1 where there is anything else.
func digits(b []byte) int64 {
	v := int64(0)
	for _, c := range b {
		if c-'0' > 9 {
			return -1
		}
		v = v*10 + int64(c-'0')
	}
	return v
}

// zoneSeconds reads how far a zone is ahead of UTC.
func zoneSeconds(zone []byte) (int64, bool) {
	if len(zone) == 0 || len(zone) == 1 && zone[0] == 'Z' {
		return 0, true
	}
	if len(zone) == 6 && zone[3] == ':' {
		zone = []byte{zone[0], zone[1], zone[2], zone[4], zone[5]}
	}
	if len(zone) != 5 || zone[0] != '+' && zone[0] != '-' {
		return 0, false
	}
	hours, minutes := digits(zone[1:3]), digits(zone[3:5])
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	seconds := hours*3600 + minutes*60
	if zone[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// daysSince1970 counts the days before a date of the Gregorian calendar, whose
// years are taken from March so that the leap day is the last of its year.
func daysSince1970(year, month, day int64) int64 {
	year, month = year-(14-month)/12, (month+9)%12
	return 365*year + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - 719468
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
