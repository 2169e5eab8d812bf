import PackagePlugin

/// Compiles the eBPF program with the Swift toolchain's own clang, and embeds its object in a Swift file, so that the
/// agent is one file.
@main struct KernelProgram: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) async throws -> [Command] {
        let folder = context.package.directoryURL.appending(path: "bpf")
        let source = folder.appending(path: "epitope.bpf.c")
        // Every header, so that a change of one compiles anew.
        let headers = [
            "answer.h", "caller.h", "epitope_event.h", "extraction.h", "foreign.h", "kernel_types.h", "marks.h", "memory.h",
            "origins.h", "payload.h", "program.h", "rings.h",
        ].map { folder.appending(path: "include/\($0)") }
        let swift = context.pluginWorkDirectoryURL.appending(path: "KernelProgramObject.swift")
        // One command: an object file among the outputs would become a resource beside the agent.
        return [
            .buildCommand(
                displayName: "Compiling and embedding the kernel program",
                executable: try context.tool(named: "embed-program").url,
                arguments: [try context.tool(named: "clang").url.path(), source.path(), swift.path()],
                inputFiles: [source] + headers, outputFiles: [swift])
        ]
    }
}
