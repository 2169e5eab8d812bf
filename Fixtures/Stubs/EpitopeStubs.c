#include "EpitopeStubs.h"
