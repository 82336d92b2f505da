/* Names of containers: symbolic links, because making one is atomic, fails when the name is taken, and its text is never torn. */
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine/container.h"

int name_owner(struct engine *engine, const char *name, char ret_id[ID_LENGTH + 1]) {
    char id[ID_LENGTH + 2];
    int dir = engine_names_dir(engine, NULL);
    if (dir < 0)
        return dir;
    ssize_t n = readlinkat(dir, name, id, sizeof(id));
    if (n < 0)
        return -errno;
    id[MIN_OF(n, (ssize_t)ID_LENGTH)] = 0;
    if (n != ID_LENGTH || !id_is_full(id))
        return -ENOENT;
    memcpy(ret_id, id, ID_LENGTH + 1);
    return 0;
}

int name_take(struct engine *engine, const char *name, const char *id, struct error *e) {
    int dir = engine_names_dir(engine, e);
    if (dir < 0)
        return dir;
    if (symlinkat(id, dir, name) == 0)
        return 0;
    if (errno != EEXIST)
        return error_errno(e, -errno, "take the name %s", name);
    char owner[ID_LENGTH + 1] = "";
    (void)name_owner(engine, name, owner);
    return error_set(e, -EEXIST,
                     "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or rename) "
                     "that container to be able to reuse that name.",
                     name, owner);
}

void name_release(struct engine *engine, const char *name, const char *id) {
    char owner[ID_LENGTH + 1];
    int dir = engine_names_dir(engine, NULL);
    if (dir >= 0 && name_owner(engine, name, owner) == 0 && strcmp(owner, id) == 0)
        (void)unlinkat(dir, name, 0);
}

/* tare's own words: weights, measures and those who made them. */
static const char *const qualities[] = {
    "able",    "agile",  "airy",   "ample",  "apt",    "basic",  "bold",   "brave",  "brief", "bright", "brisk", "calm",
    "candid",  "clean",  "clear",  "clever", "cool",   "crisp",  "deft",   "eager",  "early", "easy",   "exact", "fair",
    "famous",  "fast",   "fine",   "firm",   "fit",    "fond",   "frank",  "free",   "fresh", "gentle", "glad",  "good",
    "grand",   "happy",  "hardy",  "honest", "humble", "ideal",  "jolly",  "just",   "keen",  "kind",   "lean",  "light",
    "lively",  "loyal",  "lucid",  "lucky",  "merry",  "mild",   "modest", "neat",   "nice",  "nimble", "noble", "open",
    "patient", "plain",  "plucky", "polite", "prime",  "prompt", "proud",  "pure",   "quick", "quiet",  "rapid", "ready",
    "relaxed", "robust", "serene", "sharp",  "simple", "sleek",  "smart",  "smooth", "sober", "solid",  "sound", "spare",
    "stable",  "steady", "stoic",  "strong", "sunny",  "sure",   "swift",  "tidy",   "true",  "upbeat", "vivid", "warm",
    "wise",    "witty",  "young",  "zesty",
};
static const char *const people[] = {
    "ampere",     "archimedes", "avogadro",  "babbage",    "bell",     "bernoulli",  "bohr",       "boltzmann", "boyle",
    "cantor",     "carson",     "cauchy",    "celsius",    "chandra",  "clarke",     "copernicus", "coulomb",   "curie",
    "dalton",     "darwin",     "descartes", "dijkstra",   "dirac",    "einstein",   "engelbart",  "erdos",     "euclid",
    "euler",      "faraday",    "fermat",    "fermi",      "feynman",  "fibonacci",  "fourier",    "franklin",  "galileo",
    "galois",     "gauss",      "germain",   "goodall",    "hamilton", "heisenberg", "hertz",      "hilbert",   "hodgkin",
    "hopper",     "hubble",     "huygens",   "hypatia",    "joule",    "kelvin",     "kepler",     "knuth",     "kolmogorov",
    "lagrange",   "lamarr",     "laplace",   "lavoisier",  "leibniz",  "linnaeus",   "lovelace",   "maxwell",   "mcclintock",
    "meitner",    "mendel",     "mendeleev", "mirzakhani", "newton",   "nobel",      "noether",    "ohm",       "pascal",
    "pasteur",    "pauling",    "perlman",   "planck",     "poincare", "ptolemy",    "ramanujan",  "riemann",   "ritchie",
    "rutherford", "sagan",      "salk",      "shannon",    "siemens",  "somerville", "swartz",     "tesla",     "thompson",
    "torricelli", "turing",     "volta",     "watt",       "weber",    "wien",       "wiles",      "wing",      "wu",
    "yonath",
};

#define PLAIN_TRIES 6 /* with two words; then a number is added */

int name_random(unsigned tries, struct arena *a, const char **ret, struct error *e) {
    uint16_t dice[3];
    if (tries >= NAME_TRIES_MAX)
        return error_set(e, -EEXIST, "could not find a free name");
    if (getrandom(dice, sizeof(dice), 0) != (ssize_t)sizeof(dice))
        return error_errno(e, -errno, "choose a name");
    *ret = arena_printf(a, "%s_%s", qualities[dice[0] % ARRAY_SIZE(qualities)], people[dice[1] % ARRAY_SIZE(people)]);
    if (tries >= PLAIN_TRIES)
        *ret = arena_printf(a, "%s%u", *ret, (unsigned)dice[2]);
    return 0;
}
