// Package generate simulates the users and the activity of an e-learning
// portal, day by day, so that they behave like people.
//
// # The world
//
// Users sign up over time (more in September and January, and in bursts of
// campaigns), some up to two years before the first day. Each is a daily,
// regular, weekly, bingeing or occasional learner with an own rate, skill,
// favourite hour and weekday. On a day the learner is engaged, on a binge,
// paused, fading or gone:
//
//	             ┌────────── binging
//	             ▼              ▲
//	signup → engaged ──────────┘◄──────────── paused (busy, on holiday)
//	           │  ▲ │ ──────────────────────────▲
//	   slowly  │  │ └── abruptly ───────┐
//	           ▼  │ recovers            ▼
//	         fading 1 → 2 → … → 5 →   gone ── returns ──► engaged
//
// How likely engaged learners are to leave depends on how satisfied they are
// (quiz results, failed payments, open tickets), on their habit, on whether
// they have a course, on tenure, plan, source, season and on who they are.
// Paying users are charged monthly; failed charges are retried three times and
// then end the subscription, often with the user.
//
// # Files
//
// users, ordered by user_id, which is the order of signup:
//   - user_id: 1, 2, …
//   - signup_date: day of the first login
//   - plan: free or paid, chosen at signup and never changed
//   - is_paid: 1 for plan paid, 0 for free
//   - country: two letters; marketing_source: how the user was won
//
// events, ordered by time, then user:
//   - event_id: 1, 2, … in the order of the file
//   - user_id; event_time: 2006-01-02T15:04:05 in UTC
//   - event_type: see pipeline.EventTypes
//   - course_id: the course of course_enroll, video_watch and quiz_attempt
//   - watch_minutes: of video_watch, minutes rounded to 0.01
//   - quiz_score: of quiz_attempt, 0…100 rounded to 0.1
//   - amount: of payment_success and payment_failed, currency units to 0.01
//
// truth, what no stage may read but the evaluation report; every seven days
// counted back from the last day, each date with all users signed up by then:
//   - user_id, as_of_date
//   - hazard: the probability that a learner in this condition, if engaged,
//     begins to leave (fading or gone) on the next day; 0 for who has gone and
//     for bots
//   - state: engaged, binging, paused, fading, gone or bot, at the day's end
//   - churn_date: the day on which a user who is gone at the day's end stopped;
//     empty for all others. The rows of the last date tell it of every user
//     whose current spell is over.
//   - churn_probability_30d: the probability, given everything about the user
//     at the day's end save the dice yet to fall, of no active day in the next
//     30 days. No predictor can know more. See world.outlook.
//
// # Determinism
//
// Every user has an own random stream, seeded by the seed and the user's
// number, and users are worked on in fixed chunks: the same parameters give
// the same bytes whatever the number of cores. Between processor
// architectures the last bit of a probability may differ (fused
// multiply-add), and with it a die. A drift leaves every event before its date
// untouched.
package generate
