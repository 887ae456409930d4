/* What one core can do: log-probabilities of labels from rows of logits, one pass over memory in blocks that stay in the nearest cache,
 * without and with the gradient. Needs AVX-512. Prints JSON lines like bench.
 *
 *   gcc -O3 -march=native fused.c -o fused -lm && ./fused
 */
#include <immintrin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* exp16 is e^x for x <= 0, by 2^n times a polynomial of degree 6. */
static inline __m512 exp16(__m512 x) {
	x = _mm512_max_ps(x, _mm512_set1_ps(-87));
	__m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps((float)M_LOG2E)), 0);
	__m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps((float)M_LN2), x);
	__m512 p = _mm512_set1_ps(1.0f / 720);
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
	return _mm512_scalef_ps(p, n);
}

/* logsum is log sum e^z of a row whose length is a multiple of 32. */
static float logsum(const float *z, long vocab) {
	const long block = 4096;
	float top = -INFINITY;
	double sum = 0;
	for (long lo = 0; lo < vocab; lo += block) {
		long hi = lo + block < vocab ? lo + block : vocab;
		__m512 a = _mm512_set1_ps(-INFINITY), b = a;
		for (long i = lo; i < hi; i += 32) {
			a = _mm512_max_ps(a, _mm512_loadu_ps(z + i));
			b = _mm512_max_ps(b, _mm512_loadu_ps(z + i + 16));
		}
		float m = _mm512_reduce_max_ps(_mm512_max_ps(a, b));
		if (m > top) {
			sum *= exp((double)top - m);
			top = m;
		}
		__m512 shift = _mm512_set1_ps(top);
		a = b = _mm512_setzero_ps();
		for (long i = lo; i < hi; i += 32) {
			a = _mm512_add_ps(a, exp16(_mm512_sub_ps(_mm512_loadu_ps(z + i), shift)));
			b = _mm512_add_ps(b, exp16(_mm512_sub_ps(_mm512_loadu_ps(z + i + 16), shift)));
		}
		sum += _mm512_reduce_add_ps(_mm512_add_ps(a, b));
	}
	return top + log(sum);
}

static void gradient(float *g, const float *z, long vocab, float logz, float w) {
	for (long i = 0; i < vocab; i += 16)
		_mm512_storeu_ps(g + i, _mm512_mul_ps(_mm512_set1_ps(-w), exp16(_mm512_sub_ps(_mm512_loadu_ps(z + i), _mm512_set1_ps(logz)))));
}

int main(void) {
	long sizes[2][2] = {{32000, 512}, {128256, 128}};
	for (int s = 0; s < 2; s++) {
		long vocab = sizes[s][0], rows = sizes[s][1], n = vocab * rows;
		float *z = aligned_alloc(64, 4 * n), *g = aligned_alloc(64, 4 * n);
		for (long i = 0; i < n; i++) {
			z[i] = (float)rand() / RAND_MAX * 10 - 5;
			g[i] = 0;
		}
		double best[2] = {1e9, 1e9};
		volatile float sink = 0;
		for (int k = 0; k < 15; k++)
			for (int with = 0; with < 2; with++) {
				double start = seconds();
				for (long r = 0; r < rows; r++) {
					float l = logsum(z + r * vocab, vocab);
					sink += l;
					if (with)
						gradient(g + r * vocab, z + r * vocab, vocab, l, 1);
				}
				double t = seconds() - start;
				if (t < best[with])
					best[with] = t;
			}
		printf("{\"name\":\"logprob/fwd/fused-c/V=%ld\",\"n\":%ld,\"ns_per_item\":%.4f,\"threads\":1}\n", vocab, n, best[0] / n * 1e9);
		printf("{\"name\":\"logprob/grad/fused-c/V=%ld\",\"n\":%ld,\"ns_per_item\":%.4f,\"threads\":1}\n", vocab, n, best[1] / n * 1e9);
		free(z);
		free(g);
	}
}
