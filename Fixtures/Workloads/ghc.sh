#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
command -v ghc >/dev/null || leave_out 'ghc is not installed'
cat >Lib.hs <<'H'
{-# LANGUAGE ForeignFunctionInterface #-}
module Lib where
import Foreign
import Foreign.C
foreign import ccall "connect" connect :: CInt -> Ptr () -> CInt -> IO CInt
attempt :: IO CInt
attempt = connect (-1) nullPtr 0
H
cat >Main.hs <<'H'
{-# LANGUAGE TemplateHaskell #-}
module Main where
import Lib
import Language.Haskell.TH
main :: IO ()
main = do { print $(runIO attempt >>= litE . integerL . fromIntegral); attempt >>= print }
H
# The compiler runs compiled code of the program, in its own process, while it compiles.
ghc -v0 Main.hs -o main -outputdir out
./main
