import io.trino.Session;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.testing.DistributedQueryRunner;
import io.trino.testing.TestingSession;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Runs a coordinator with the catalog memory on a free port of the loopback. */
public final class TrinoForTests
{
    private TrinoForTests() {}

    /**
     * Writes the address into the file that the argument names, and serves until
     * standard input ends: with whoever started it.
     */
    public static void main(String[] args)
    {
        Session session = TestingSession.testSessionBuilder().setCatalog("memory").setSchema("default").build();
        try (DistributedQueryRunner runner = DistributedQueryRunner.builder(session).setNodeCount(1).build()) {
            runner.installPlugin(new MemoryPlugin());
            runner.createCatalog("memory", "memory", Map.of("memory.max-data-per-node", "1GB"));
            Path ready = Path.of(args[0] + ".new");
            Files.writeString(ready, runner.getCoordinator().getBaseUrl().toString());
            Files.move(ready, Path.of(args[0]));
            while (System.in.read() >= 0) {
                // what comes is of no interest
            }
        }
        catch (Throwable e) {
            e.printStackTrace();
            System.exit(1);
        }
        System.exit(0); // some of its threads are no daemons
    }
}
