// SPDX-License-Identifier: Apache-2.0

/// A look at something that changes: whoever asks gets what was seen by a look that began after they asked, and those who ask while one
/// is under way share the next.
package actor SharedLook<Value: Sendable, Failure: Error> {
    private let look: @Sendable () async throws(Failure) -> Value
    /// The one that begins next.
    private var next: Task<Result<Value, Failure>, Never>?
    private var current: Task<Result<Value, Failure>, Never>?

    package init(_ look: @escaping @Sendable () async throws(Failure) -> Value) {
        self.look = look
    }

    /// What is seen now.
    package func value() async throws(Failure) -> Value {
        if let next { return try await next.value.get() }
        let (look, before) = (look, current)
        let task = Task {
            _ = await before?.value
            self.begin()
            do throws(Failure) { return Result<Value, Failure>.success(try await look()) } catch { return .failure(error) }
        }
        next = task
        return try await task.value.get()
    }

    private func begin() { (current, next) = (next, nil) }
}
