// SPDX-License-Identifier: Apache-2.0

import CKernelProgram

/// What the agent answers to a question of the kernel program.
enum QuestionAnswer: Hashable, Sendable {
    case code(epitope_code_origin)
    case frame(LibraryFrames.Frame)
    /// The image's tables don't tell how far the frame reaches.
    case noFrame
    /// The process has ended, or has mapped something else there: without an answer the call is judged once its time is over.
    case none
}
