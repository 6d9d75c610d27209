package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"

	"churn/pipeline"
	"churn/pipeline/prepare"
)

// export writes the timelines as the table that the peers compute, as CSV.
func export(timelines, out string) (events, rows int64, err error) {
	in, err := prepare.OpenTimelines(timelines)
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	f, err := os.Create(out)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "user_id,day,known,login,course_enroll,video_watch,quiz_attempt,payment_success,payment_failed,support_ticket,minutes,scores,scored,paid")
	for {
		payload, ok, err := in.Next()
		if err != nil {
			return 0, 0, err
		}
		if !ok {
			return events, rows, w.Flush()
		}
		users, err := prepare.DecodeBlock(payload)
		if err != nil {
			return 0, 0, err
		}
		for i := range users {
			for j := range users[i].Days {
				events += int64(users[i].Days[j].Events)
				rows++
				w.Write(appendRow(w.AvailableBuffer(), users[i].User.ID, &users[i].Days[j])) //nolint:errcheck // Flush tells
			}
		}
	}
}

func appendRow(b []byte, user string, f *pipeline.DayFacts) []byte {
	b = append(append(b, user...), ',')
	b = f.Known.Append(append(f.Day.Append(b), ','))
	for _, n := range []int32{f.Logins, f.Enrolls, f.Videos, f.Quizzes, f.PaymentsOK, f.PaymentsFailed, f.Tickets} {
		b = strconv.AppendInt(append(b, ','), int64(n), 10)
	}
	b = strconv.AppendFloat(append(b, ','), f.Minutes, 'f', -1, 64)
	b = strconv.AppendFloat(append(b, ','), f.ScoreSum, 'f', -1, 64)
	b = strconv.AppendInt(append(b, ','), int64(f.Scores), 10)
	b = strconv.AppendFloat(append(b, ','), f.Amount, 'f', -1, 64)
	return append(b, '\n')
}
