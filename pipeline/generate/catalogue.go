package generate

import "strconv"

// noCourse stands where a learner is in no course.
const noCourse = 1<<16 - 1

const coursesPerCatalogue = 40

type course struct {
	id         string
	weight     float64 // popularity
	videos     float64 // number of videos: what it takes to finish
	minutes    float64 // mean length of a video
	difficulty float64 // in deviations of skill
}

// catalogue holds the courses on offer at first and, from index
// coursesPerCatalogue on, those that the content drift replaces them with.
type catalogue struct {
	courses []course
	total   float64 // sum of the weights of one half
}

func newCatalogue(seed uint64) catalogue {
	var c catalogue
	for i := range 2 * coursesPerCatalogue {
		r := stream(seed, saltCatalogue, uint64(i))
		rank := i % coursesPerCatalogue
		e := course{
			id:         "C" + strconv.Itoa(101+i+60*(i/coursesPerCatalogue)), // C101…C140, then C201…C240
			weight:     1 / float64(rank+3),                                  // Zipf's law, flattened at the head
			videos:     r.between(18, 70),
			minutes:    r.between(5, 14),
			difficulty: 0.7 * r.bell(),
		}
		if i >= coursesPerCatalogue {
			e.minutes, e.difficulty = e.minutes*1.6, e.difficulty+0.9
		} else {
			c.total += e.weight
		}
		c.courses = append(c.courses, e)
	}
	return c
}

// choose draws a course on offer that day.
func (c *catalogue) choose(r *random, d *day) uint16 {
	first := 0
	if d.drift.content {
		first = coursesPerCatalogue
	}
	return uint16(first + r.pick(coursesPerCatalogue, c.total, func(i int) float64 { return c.courses[i].weight }))
}

// retired reports whether a course is no longer on offer.
func retired(course uint16, d *day) bool {
	return d.drift.content && course < coursesPerCatalogue
}
