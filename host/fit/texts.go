package fit

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/weir-ml/weir/host/errs"
)

// wording are the recipes of plugins that read texts.
var wording = []recipe{
	define("tfidf", textual, whatText, fitTFIDF),
}

// tfidfOptions are those of scikit-learn's TfidfVectorizer with its default token pattern, of words.
type tfidfOptions struct {
	NgramRange  []int    `json:"ngram_range,omitempty"` // shortest and longest, in words; default 1, 1
	Lowercase   *bool    `json:"lowercase,omitempty"`   // default true
	StopWords   []string `json:"stop_words,omitempty"`
	MinDF       int      `json:"min_df"`       // leaves out terms that fewer texts hold; default 1
	MaxDF       int      `json:"max_df"`       // leaves out terms that more texts hold; default: no limit
	MaxFeatures int      `json:"max_features"` // keeps the terms that occur most often (ties: the smaller term); default: all
	Output      string   `json:"output,omitempty"`
	Norm        string   `json:"norm,omitempty"`
	Binary      bool     `json:"binary,omitempty"`
	SublinearTF bool     `json:"sublinear_tf,omitempty"`
}

type tfidfParameters struct {
	Column      string    `json:"column"`
	Vocabulary  []string  `json:"vocabulary"`
	IDF         []float64 `json:"idf"`
	NgramRange  []int     `json:"ngram_range,omitempty"`
	Lowercase   *bool     `json:"lowercase,omitempty"`
	StopWords   []string  `json:"stop_words,omitempty"`
	Output      string    `json:"output,omitempty"`
	Norm        string    `json:"norm,omitempty"`
	Binary      bool      `json:"binary,omitempty"`
	SublinearTF bool      `json:"sublinear_tf,omitempty"`
}

// Bounds of a vocabulary: what the plugin takes, and what is held while it is made.
const (
	maxVocabulary = 1 << 20
	maxTerms      = 10_000_000
)

// fitTFIDF: the terms of all texts in the order of their bytes, and their smoothed inverse document frequencies,
// ln((1+n)/(1+df)) + 1. Nulls are no texts.
func fitTFIDF(f *fitting, o *tfidfOptions) (any, error) {
	if len(f.columns) != 1 {
		return nil, errs.New(errs.Invalid, "tfidf learns from one column: name it")
	}
	shortest, longest := 1, 1
	if r := o.NgramRange; r != nil {
		if len(r) != 2 || r[0] < 1 || r[0] > r[1] || r[1] > 16 {
			return nil, errs.New(errs.Invalid, "options: ngram_range is two numbers from 1 to 16, the lower one first")
		}
		shortest, longest = r[0], r[1]
	}
	if o.MinDF < 0 || o.MaxDF < 0 || o.MaxFeatures < 0 {
		return nil, errs.New(errs.Invalid, "options: min_df, max_df and max_features are at least 0")
	}
	stop := map[string]bool{}
	for _, w := range o.StopWords {
		stop[w] = true
	}
	type count struct{ texts, times, last int }
	terms := map[string]*count{}
	column, n := f.columns[0].Name, 0
	q := quote(column)
	err := f.rows("SELECT "+q+" FROM data WHERE "+q+" IS NOT NULL", func(row []any) error {
		n++
		return eachTerm(row[0].(string), o.Lowercase == nil || *o.Lowercase, stop, shortest, longest, func(term string) error {
			c := terms[term]
			if c == nil {
				if len(terms) == maxTerms {
					return errs.New(errs.Exhausted, "column %q of dataset %s has more than %d different terms: fit on a sample, or with shorter n-grams", column, f.table.Ref, maxTerms)
				}
				c = &count{}
				terms[strings.Clone(term)] = c
			}
			c.times++
			if c.last != n {
				c.last, c.texts = n, c.texts+1
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	var kept []string
	for t, c := range terms {
		if c.texts >= o.MinDF && (o.MaxDF == 0 || c.texts <= o.MaxDF) {
			kept = append(kept, t)
		}
	}
	slices.Sort(kept)
	if o.MaxFeatures > 0 && len(kept) > o.MaxFeatures {
		slices.SortStableFunc(kept, func(a, b string) int { return cmp.Compare(terms[b].times, terms[a].times) })
		kept = kept[:o.MaxFeatures]
		slices.Sort(kept)
	}
	switch {
	case len(kept) == 0:
		return nil, errs.New(errs.Invalid, "column %q of dataset %s holds no term that counts: are its texts empty, or min_df too high?", column, f.table.Ref)
	case len(kept) > maxVocabulary:
		return nil, errs.New(errs.Invalid, "column %q of dataset %s has %d terms, the plugin takes %d: set max_features or min_df", column, f.table.Ref, len(kept), maxVocabulary)
	}
	idf := make([]float64, len(kept))
	for i, t := range kept {
		idf[i] = math.Log(float64(1+n)/float64(1+terms[t].texts)) + 1
	}
	return tfidfParameters{
		Column: column, Vocabulary: kept, IDF: idf, NgramRange: o.NgramRange, Lowercase: o.Lowercase, StopWords: o.StopWords,
		Output: o.Output, Norm: o.Norm, Binary: o.Binary, SublinearTF: o.SublinearTF,
	}, nil
}

// eachTerm cuts a text as plugins/tfidf does: words are runs of at least two letters, numbers or "_"; n-grams are joined by a
// blank, stop words left out before. The term that use gets is valid during the call.
func eachTerm(text string, lower bool, stop map[string]bool, shortest, longest int, use func(string) error) error {
	if lower {
		text = strings.Map(unicode.ToLower, text)
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	words = slices.DeleteFunc(words, func(w string) bool {
		for i := range w {
			if i > 0 {
				return stop[w] // a second rune begins here
			}
		}
		return true
	})
	for n := shortest; n <= longest; n++ {
		for i := 0; i+n <= len(words); i++ {
			term := words[i]
			if n > 1 {
				term = strings.Join(words[i:i+n], " ")
			}
			if err := use(term); err != nil {
				return err
			}
		}
	}
	return nil
}
