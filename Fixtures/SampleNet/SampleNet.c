#include "SampleNet.h"
