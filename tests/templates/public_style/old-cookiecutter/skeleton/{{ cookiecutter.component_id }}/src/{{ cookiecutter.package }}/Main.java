package {{ cookiecutter.package | replace("/", ".") }};

{# nobody reads this -#}
public class Main {
    static final int PORT = {{ cookiecutter.http_port }};
    {%- if cookiecutter.http_port == 8080 %} // the default{% endif %}
    static final String NOTE = "{% raw %}{{ mustache }} ${{ home }}{% endraw %}";
}
