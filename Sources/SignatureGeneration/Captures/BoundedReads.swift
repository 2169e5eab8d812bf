// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc
import Scheduling
import Synchronization

/// Reads files whose file system may never answer (a server of it hangs, or is away): each step is given up after a time, and costs no
/// more than the thread that waits for it.
public final class BoundedReads: Sendable {
    private let work = BoundedWork()
    private let seconds: Double
    private let givenUp = Atomic(0)

    /// - Parameter seconds: how long one step may take, such as to open a file or to read a megabyte of it.
    public init(seconds: Double = 10) { self.seconds = seconds }

    /// How many steps were given up so far.
    public var hangs: Int { givenUp.load(ordering: .relaxed) }

    /// Does a step; `nil` when it was given up, or when so many wait already that none is begun.
    public func run<Value: Sendable>(_ step: @escaping @Sendable () -> Value) -> Value? {
        let value = work.run(withinSeconds: seconds, step)
        if value == nil { givenUp.add(1, ordering: .relaxed) }
        return value
    }

    /// - Throws: ETIMEDOUT when it was given up.
    func run<Value: Sendable>(_ step: @escaping @Sendable () throws(FileError) -> Value) throws(FileError) -> Value {
        guard let result = run({ Result { () throws(FileError) in try step() } }) else { throw .system(ETIMEDOUT) }
        return try result.get()
    }
}
