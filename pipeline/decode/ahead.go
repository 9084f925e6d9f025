package decode

import "io"

// ahead reads a stream in a goroutine of its own, some chunks before they are asked
// for, so that unpacking and parsing one object keep two processors busy. How far it
// is ahead changes nothing that can be seen: chunks, their sizes and the error at
// their end come in the order of the stream.
type ahead struct {
	chunks chan chunk
	free   chan []byte
	stop   chan struct{}
	ended  chan struct{} // the goroutine reads no more
	now    chunk
	rest   []byte
	n      int64 // bytes of the chunks taken so far
}

type chunk struct {
	b   []byte
	err error
}

// chunksAhead are read at most, of readSize each.
const chunksAhead = 3

func readAhead(r io.Reader) *ahead {
	a := &ahead{chunks: make(chan chunk), free: make(chan []byte, chunksAhead), stop: make(chan struct{}), ended: make(chan struct{})}
	for range chunksAhead {
		a.free <- nil // made when it is needed: many an object is small
	}
	go a.run(r)
	return a
}

func (a *ahead) run(r io.Reader) {
	defer close(a.ended)
	for {
		var b []byte
		select {
		case b = <-a.free:
		case <-a.stop:
			return
		}
		if b == nil {
			b = make([]byte, readSize)
		}
		n, err := r.Read(b[:readSize])
		select {
		case a.chunks <- chunk{b[:n], err}:
		case <-a.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.b != nil {
			a.free <- a.now.b
		}
		a.now = <-a.chunks
		a.rest = a.now.b
		a.n += int64(len(a.rest))
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// close ends the reading and waits until it has ended: the stream is the caller's again.
func (a *ahead) close() {
	close(a.stop)
	<-a.ended
}
